// Package rules holds what every part of this repository obeys, as tests: which
// package may import which, how long a file or a function may be, and what code
// does without. It has no code of its own.
//
// The tables are plain text: testdata/imports.txt says who imports whom,
// testdata/modules.txt which module is used where, testdata/links.txt what a
// package must not bring along, and testdata/exceptions.txt where a rule does not
// hold, each with its reason. To change one of them is a decision; an exception
// that nothing needs any more is an error.
//
// Nobody imports it. A folder with a go.mod of its own is another module and is
// not looked at.
package rules
