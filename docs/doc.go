// Package docs is the documentation, and the tests that keep it true: commands
// are run, in the order of their page, against real instances; what a page says
// that they print is compared; Go and configuration are compiled and checked;
// links lead somewhere; the Chinese pages have the same code as the English ones.
//
// In a page, a block of sh is commands, and a block of text right behind it is
// what they print, whatever the numbers. A block of wire is bytes and the message that
// they are, in the notation that wire.md explains.
//
// Nobody imports it.
package docs
