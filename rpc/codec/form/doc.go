// Package form is the codec of bodies in the form that browsers send
// (application/x-www-form-urlencoded): a=x+y&l=1&l=2, keys in order of the alphabet.
//
// # What can be a body
//
// Maps of strings to strings or to lists of strings, such as url.Values; an empty
// interface receives url.Values. Structs, by these rules:
//
//   - A field has the name that its tag form:"name" gives, the whole text of it, else
//     its own. form:"-" leaves it out; so does a name that is not exported.
//   - Its type is a string, bool, integer, float or time.Time, a named type of these, a
//     pointer to one, or a slice or array of one; an element may be a []byte as well.
//     A field of type []byte is a list of numbers.
//   - A struct without a tag, embedded or not, stands for its fields, which have no
//     prefix; a pointer to one is filled only if there is something for it. With a tag
//     it is an error.
//   - Elements of a slice are one pair each, IN ORDER. Older implementations write
//     theirs in reverse; nothing in a body tells, so they are read as they come.
//   - Of several values for a single field, or for a map of strings, the first counts.
//     An empty text is the zero value. nil pointers are not written, and one that
//     points at anything but text stays nil if its text is empty, because older
//     implementations write nil so.
//   - A time is written and read in the layout of the tag time_format (default
//     time.RFC3339Nano), in the location that the tag time_location names, in UTC if
//     time_utc is true, else in local time. The zero time is an empty text.
//
// What does not fit its field is an error that names the field, and so is a body that
// is not well-formed or has more than 1,048,576 pairs. Pairs without a field are
// ignored, fields without a pair are left as they were.
//
// The package imports the standard library and package codec. A Codec is safe for
// concurrent use.
package form
