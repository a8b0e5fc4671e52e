// Package cgroup puts processes into control groups of the kernel, so that a
// whole process tree can be counted, limited and killed, whatever it does to
// leave its session or its parent.
//
// What the machine offers is found from what the kernel says of this process,
// never from a fixed path; [Kind] names the three cases. Groups are made below
// the one that this process lives in, in a folder for its instance:
//
//	OWN/dserver-web-1f2e3d4c        the folder of the instance "web"
//	OWN/dserver-web-1f2e3d4c/a.group    the group "a"
//	OWN/dserver-web-1f2e3d4c/self       ourselves, where the kernel wants a leaf
//
// A process is born inside its group: through [Group.Directory] with clone3 in
// the second version of the interface, and through [Group.Enter] by inheritance
// from the thread that forks in the first. It is never there and elsewhere for a
// moment.
//
// A machine or a user without any group that may be written to is no error: then
// [Tree.Make] gives nil, and all methods of a nil *Group do nothing and find
// nothing.
//
// It is for package host and its parts. It works on Linux; elsewhere the kind is
// always [None]. All methods are safe for concurrent use, but for [Group.Enter],
// which is about the calling thread.
package cgroup
