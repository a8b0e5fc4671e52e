package status

import "strconv"

// Code says what became of a call. 0 is success, 100 to 199 are failures to
// send, 400 to 499 failures to handle, 500 to 599 failures behind the handler.
// Codes above 1000 are free for applications.
type Code int32

// The codes that the endpoint itself uses. Those that travel are the same for
// every implementation of the wire protocol.
const (
	Unknown             Code = -1  // anything that has no code of its own
	OK                  Code = 0   // success
	InvalidOperation    Code = 1   // the session is in no state for this
	WrongConnection     Code = 100 // the connection is not what was expected
	ConnectionClosed    Code = 102 // the session ended before the reply came
	WriteFailed         Code = 104 // the message could not be encoded or written
	DialFailed          Code = 105 // no connection could be had
	Cancelled           Code = 106 // the caller gave up; never sent
	BadMessage          Code = 400 // the message or its body cannot be read
	Unauthorized        Code = 401 // the peer has not proved who it is
	NotFound            Code = 404 // there is no such route
	TypeNotAllowed      Code = 405 // a message of this type has no business here
	HandleTimeout       Code = 408 // the deadline passed before the answer
	Conflict            Code = 409 // the state of the receiver forbids it
	InternalServerError Code = 500 // the handler failed; its log knows more
	BadGateway          Code = 502 // the receiver could not reach another service
	Overloaded          Code = 503 // a bound is reached; nothing was executed
)

// String is the standard text of the code, which also travels as the message
// of a status. It is empty for OK and "code N" for codes of applications.
func (c Code) String() string {
	switch c {
	case Unknown:
		return "Unknown Error"
	case OK:
		return ""
	case InvalidOperation:
		return "Invalid Operation"
	case WrongConnection:
		return "Wrong Connection"
	case ConnectionClosed:
		return "Connection Closed"
	case WriteFailed:
		return "Write Failed"
	case DialFailed:
		return "Dial Failed"
	case Cancelled:
		return "Cancelled"
	case BadMessage:
		return "Bad Message"
	case Unauthorized:
		return "Unauthorized"
	case NotFound:
		return "Not Found"
	case TypeNotAllowed:
		return "Message Type Not Allowed"
	case HandleTimeout:
		return "Handle Timeout"
	case Conflict:
		return "Conflict"
	case InternalServerError:
		return "Internal Server Error"
	case BadGateway:
		return "Bad Gateway"
	case Overloaded:
		return "Overloaded"
	default:
		return "code " + strconv.Itoa(int(c))
	}
}
