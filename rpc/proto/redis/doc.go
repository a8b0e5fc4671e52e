// Package redis is the protocol of redis, RESP2 and RESP3, so that redis-cli and the
// clients of redis call handlers of ours:
//
//	e, err := rpc.New(rpc.Config{Proto: redis.New})
//	err = redis.Register(e) // PING, HELLO and whatever else clients ask for by themselves
//	err = redis.Handle(e, "get", func(ctx rpc.Context, args [][]byte) (any, error) {
//		...
//	})
//
// # Commands
//
// A command is an array of bulk strings, or a line of words of which any may be quoted:
//
//	*2\r\n$3\r\nGET\r\n$1\r\nk\r\n        GET k\r\n        get "k"\r\n
//
// It is a CALL of the route /redis/get, whatever its case, with the codec 'r'. The body
// is a JSON array of the other arguments, each a string of base64: ["aw=="], which is
// what encoding/json makes of a [][]byte. An empty array or line is ignored.
//
// # Replies
//
// The body of a reply is one value of RESP; no body is null. Handlers of [Handle] return
// values of Go, see [AppendValue]. Others, made by rpc.Handle, return what [Codec] writes,
// if the endpoint has it, or the bytes of a value in a []byte. Values may be of either
// version. A client that has not said HELLO 3 gets RESP2:
//
//	null      _            $-1
//	bool      #t #f        :1 :0
//	double    ,1.5         $3 1.5
//	big       (12          $2 12
//	verbatim  =6 txt:ab    $2 ab
//	map       %1           *2
//	set       ~1           *1
//	error     !3 a b       -a b
//
// A status becomes an error: -ERR and its text, in one line of at most 1 KiB, or the
// cause alone if that begins with a word of upper-case letters, as WRONGTYPE does. 404
// without a cause reads: unknown command 'x', with args beginning with: 'a' 'b'.
//
// The commands of a session are handled one after the other, and replies come in their
// order, also those of commands that no handler was asked for. Metadata of a reply is
// lost. What is no command is answered with -ERR Protocol error and ends the session, as
// redis does; so does QUIT, after its reply, and a line that is an HTTP request, without
// one. A PUSH goes to clients that have said HELLO 3: its method without /redis/ is the
// first value, the items of its body follow. There is no GOAWAY: sessions end when they
// are idle.
//
// # Limits
//
// A command with all its arguments, and a reply, is at most as long as the limit of
// messages; a line at most 64 KiB; arguments are at most 1048576, and values are nested
// at most 32 times. What is announced takes no memory before it comes. At most 16384
// commands wait for their answers, and answers of 4 MiB for their turn.
// MULTI, subscriptions and other modes of a connection do not exist.
//
// # As a client
//
// A session that has called reads replies: a CALL of /redis/get with a [][]byte, a
// []string or any list of texts and numbers is the command GET. An error of the server is
// a status with the code -1 whose cause is the error's text. Pushes of RESP3 are PUSHes.
//
// Anybody may import the package; it imports rpc and what lies below. A Proto may append
// frames on many goroutines at once; all that it gives must be written in that order.
package redis
