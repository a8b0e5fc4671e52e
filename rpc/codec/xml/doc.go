// Package xml is the codec of bodies in XML, by the rules and tags of encoding/xml.
//
// It imports the standard library and package codec. A Codec is safe for concurrent
// use.
package xml
