// Package standin lets a test binary play the programs that its tests start: the
// binary is started again, with a variable that says which of them it is to be.
//
// It is for tests alone, of any package of this repository. It works on Linux.
package standin
