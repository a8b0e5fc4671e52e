package securebody

import (
	"fmt"
	"strconv"
	"time"

	"github.com/dserver/dserver/rpc"
)

// The metadata that says what is encrypted, see the package.
const (
	MetaSecure      = "X-Secure-Body"
	MetaSecureReply = "X-Reply-Secure-Body"
	MetaSecureID    = "X-Secure-Id"
)

const (
	defaultTolerance = 2 * time.Minute
	defaultSenders   = 65536
)

// Options of a plugin. Keys must be given; a zero field of the others takes its default.
type Options struct {
	Keys      []Key         // the first one encrypts, all decrypt
	Required  bool          // encrypt every body, and refuse those that are not
	Classic   bool          // speak with older peers, in their form; see the package on what it is worth
	Tolerance time.Duration // by which clocks may differ, and for which senders are remembered; default 2 min
	Senders   int           // that are remembered; default 65536
}

func (o Options) normalise() (Options, error) {
	if o.Tolerance == 0 {
		o.Tolerance = defaultTolerance
	}
	if o.Senders == 0 {
		o.Senders = defaultSenders
	}
	if o.Tolerance < 0 || o.Senders < 0 {
		return o, fmt.Errorf("a tolerance of %v and %d senders: they must not be negative", o.Tolerance, o.Senders)
	}
	return o, nil
}

// WithSecureBody encrypts the body of one call or push.
func WithSecureBody() rpc.CallOption { return rpc.WithMeta(MetaSecure, "true") }

// WithSecureReply says whether the reply of one call shall be encrypted; without it that is
// so if the call is. A plugin that requires it does not ask.
func WithSecureReply(secure bool) rpc.CallOption {
	return rpc.WithMeta(MetaSecureReply, strconv.FormatBool(secure))
}

// EnforceSecure encrypts the result of a handler, whatever its caller has asked for. In the
// form Sealed the caller must have sent something that the result can belong to: an
// encrypted body, or the wish for an encrypted reply. Else it gets 409.
func EnforceSecure(ctx rpc.Context) { ctx.SetMeta(MetaSecure, "true") }
