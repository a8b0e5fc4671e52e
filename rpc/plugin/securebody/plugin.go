package securebody

import (
	"fmt"
	"sync/atomic"

	"github.com/dserver/dserver/rpc"
	"github.com/dserver/dserver/rpc/status"
)

// Plugin encrypts and decrypts the bodies of an endpoint. Make one with [New].
type Plugin struct {
	*receiver
	ours ours
}

var (
	_ rpc.BeforeWriteCall     = (*Plugin)(nil)
	_ rpc.BeforeWritePush     = (*Plugin)(nil)
	_ rpc.BeforeReadReplyBody = (*Plugin)(nil)
	_ rpc.AfterDisconnect     = (*Plugin)(nil)
)

// receiver is the part that concerns routes, with what both parts share.
type receiver struct {
	*vault
	required bool
}

var (
	_ rpc.BeforeReadCallBody = (*receiver)(nil)
	_ rpc.BeforeReadPushBody = (*receiver)(nil)
	_ rpc.BeforeWriteReply   = (*receiver)(nil)
)

// vault has the keys and knows what was seen.
type vault struct {
	keys    atomic.Pointer[keyring]
	classic bool
	senders *senders
	stats   counters
}

// New returns a plugin for rpc.Config. Its error says what is wrong with the options.
func New(o Options) (*Plugin, error) {
	o, err := o.normalise()
	var keys *keyring
	if err == nil {
		keys, err = newKeyring(o.Keys)
	}
	if err != nil {
		return nil, fmt.Errorf("cannot make the plugin securebody: %w", err)
	}
	v := &vault{classic: o.Classic, senders: newSenders(o.Tolerance, o.Senders)}
	v.keys.Store(keys)
	return &Plugin{receiver: &receiver{v, o.Required}}, nil
}

// SetKeys replaces the keys: the first one encrypts from now on. To change a key, give
// the new one to all as the last one first, then as the first one, then alone.
func (v *vault) SetKeys(keys ...Key) error {
	r, err := newKeyring(keys)
	if err != nil {
		return fmt.Errorf("cannot change keys: %w", err)
	}
	v.keys.Store(r)
	return nil
}

// Route gives the part of the plugin that a group or a route may have, to require what the
// endpoint leaves free, or to encrypt nowhere else. It has the same keys.
func (v *vault) Route(required bool) rpc.Plugin { return &receiver{v, required} }

// Name is "securebody".
func (*receiver) Name() string { return "securebody" }

type counters struct{ encrypted, decrypted, refused atomic.Int64 }

// Stats counts what happened since the plugin was made.
type Stats struct {
	Encrypted int64 // bodies that went out
	Decrypted int64 // bodies that came in
	Refused   int64 // messages that came in
}

// Stats gives the counters now, those of routes included.
func (v *vault) Stats() Stats {
	return Stats{v.stats.encrypted.Load(), v.stats.decrypted.Load(), v.stats.refused.Load()}
}

// refuse says 409. A plain text of ours is all that the peer learns.
func (v *vault) refuse(format string, args ...any) error {
	v.stats.refused.Add(1)
	return status.New(status.Conflict, fmt.Sprintf(format, args...))
}
