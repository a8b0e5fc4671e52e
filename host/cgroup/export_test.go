//go:build linux

package cgroup

// FolderName is the name of an instance's folder in every hierarchy.
func FolderName(instance string) string { return folderName(instance) }
