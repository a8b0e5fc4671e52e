// Package securebody is a plugin that encrypts bodies, and only them, from endpoint to
// endpoint: with a key that both have, over connections and proxies that need not be
// trusted with what is in them.
//
//	p, err := securebody.New(securebody.Options{Keys: []securebody.Key{{ID: "2026", Secret: secret}}, Required: true})
//	e, err := rpc.New(rpc.Config{LastPlugins: []rpc.Plugin{p}})
//
// With Options.Required every body is encrypted and one that is not is refused: a CALL is
// answered 409 before its handler runs, a PUSH is dropped, a reply fails its call. Without
// it a caller asks for it with [WithSecureBody], of which an encrypted reply is part, and
// for that alone with [WithSecureReply]; a handler may ask for it with [EnforceSecure].
//
// # Two forms
//
// The form of this package (Sealed below) hides a body, proves that it comes from someone
// who has the key, and lets it be used once. The form of older peers (Classic) hides it
// from who looks and does no more: equal bodies look equal, who changes a text is found
// out only if what it becomes makes no sense, and a text may be sent again. Options.Classic
// is for endpoints that must speak with such peers; both forms are taken then, and a reply
// has that of its call.
//
// # What travels
//
// The metadata X-Secure-Body is "true" and the body is, in the codec of the message,
//
//	{"cipherVersion": VERSION, "ciphertext": TEXT in base64}
//
// with the fields 1 and 2 where the codec is protocol buffers, and "VERSION TEXT" in codecs
// that have no structures. X-Reply-Secure-Body says "false" if the reply to an encrypted
// call shall not be, and "true" if that to a plain one shall be; then, in the form Sealed,
// X-Secure-Id is a head as below, in base64.
//
// Classic: VERSION is the md5 of the key in hexadecimal digits. TEXT is AES-CBC with the
// vector "I Love Go Frame!" and the padding of PKCS 7.
//
// Sealed: VERSION is "gcm1:" and the ID of the key. TEXT of a CALL or PUSH is
//
//	0       1           17          25          33      45
//	+-------+-----------+-----------+-----------+-------+------------+-----+
//	| flags | sender    | counter   | time      | nonce | encrypted  | tag |
//	+-------+-----------+-----------+-----------+-------+------------+-----+
//	  1       16 random   8, from 1   8, ms       12      n            16
//
// and that of a REPLY is nonce, encrypted body and tag. All numbers are big endian. The
// first 33 bytes are the head. Flag 1 says that the reply may be plain. The key is
// HKDF-SHA256 of the secret with the sender as salt and "dserver securebody 1" as info, 32
// bytes, for AES-GCM. Authenticated besides are "dserver securebody 1", the type of the
// message, 1 if it comes from the side that dialled, else 0, the codec, the head (of the
// CALL for its REPLY), and the method: a byte for each of the three, the method as it is.
//
// # What is refused, in the form Sealed
//
// A message that has been seen before, on whatever session; one on another route, of
// another type or direction; a reply to another call; one from a sender that was not heard
// of for Options.Tolerance whose clock differs by more than that. So the clocks of both
// sides must agree, as those of Kerberos must. The method is that of the caller: a plugin
// that changes it, for letters in capitals perhaps, is in the way of such calls. Counters may come in any order,
// as messages do: a receiver remembers which are missing, 1024 stretches of them for each
// sender at most, then the oldest count as seen.
//
// Everybody with the key counts as the same receiver: a message that did not arrive could
// be brought to another process that has it. Give each service its own key. Metadata,
// method and status are not encrypted, metadata is not authenticated either, and the
// length of a body shows.
//
// # Where it stands
//
// Plugins that change bodies belong before it on the way out, so it is put in
// rpc.Config.LastPlugins. [Plugin.Route] is for groups and routes, to require there what
// the endpoint leaves free.
//
// # Who may import it
//
// Anybody; it imports rpc alone. A Plugin may be used by many endpoints and from any
// goroutine.
package securebody
