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
// A folder with a go.mod of its own is a module of its own: what it takes from
// elsewhere is its own affair, and cannot get into this one. All else holds there,
// testdata/imports.txt for what it imports of this module and of itself too.
//
// Nobody imports it.
package rules
