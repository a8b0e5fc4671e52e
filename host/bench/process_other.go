//go:build !linux

package main

import (
	"errors"
	"os"
	"syscall"
	"time"
)

var errLinuxOnly = errors.New("cannot measure here: the benchmark needs Linux")

func guard([]string) (int, error) { return 1, errLinuxOnly }

func monotonic() time.Duration { return 0 }

func sleepForever() { select {} }

func apart() *syscall.SysProcAttr { return nil }

func family(root int) []int { return []int{root} }

func worksIn(string) []int { return nil }

func runs(int, string) bool { return false }

func cpuTime(int) time.Duration { return 0 }

func memory(int) (rss, pss int64) { return 0, 0 }

type handle int

func openProcess(int) (handle, error) { return 0, errLinuxOnly }

func (handle) signal(syscall.Signal) error { return errLinuxOnly }

func (handle) gone(time.Duration) bool { return true }

func (handle) close() {}

func makeFifo(string) error { return errLinuxOnly }

func openFifo(string) (*os.File, error) { return nil, errLinuxOnly }
