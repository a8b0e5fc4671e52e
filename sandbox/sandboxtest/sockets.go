package sandboxtest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"syscall"

	"github.com/dserver/dserver/internal/inherit"
	"github.com/dserver/dserver/sandbox"
)

// Sockets owns listening sockets as a master does: each is opened once and stays
// open until Close, whoever comes and goes. The zero value is ready for use.
type Sockets struct {
	mu     sync.Mutex
	stream map[string]net.Listener
	packet map[string]net.PacketConn
	opened []io.Closer // in order
}

// Listener gives out a copy of the socket for l, which is opened the first time.
func (s *Sockets) Listener(ctx context.Context, _ string, l sandbox.Listen) (net.Listener, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	ln, ok := s.stream[key(l)]
	if !ok {
		var err error
		if ln, err = new(net.ListenConfig).Listen(ctx, l.Network, l.Address); err != nil {
			return nil, err
		}
		if s.stream == nil {
			s.stream = make(map[string]net.Listener)
		}
		s.stream[key(l)] = ln
		s.opened = append(s.opened, ln)
	}
	sc, ok := ln.(syscall.Conn)
	if !ok {
		return nil, fmt.Errorf("cannot copy a %T", ln)
	}
	return inherit.Listener(sc)
}

// PacketConn gives out a copy of the socket for l, which is opened the first time.
func (s *Sockets) PacketConn(ctx context.Context, _ string, l sandbox.Listen) (net.PacketConn, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	pc, ok := s.packet[key(l)]
	if !ok {
		var err error
		if pc, err = new(net.ListenConfig).ListenPacket(ctx, l.Network, l.Address); err != nil {
			return nil, err
		}
		if s.packet == nil {
			s.packet = make(map[string]net.PacketConn)
		}
		s.packet[key(l)] = pc
		s.opened = append(s.opened, pc)
	}
	sc, ok := pc.(syscall.Conn)
	if !ok {
		return nil, fmt.Errorf("cannot copy a %T", pc)
	}
	return inherit.PacketConn(sc)
}

// Close closes all sockets.
func (s *Sockets) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var errs []error
	for _, c := range s.opened {
		errs = append(errs, c.Close())
	}
	s.stream, s.packet, s.opened = nil, nil, nil
	return errors.Join(errs...)
}

func key(l sandbox.Listen) string { return l.Name + " " + l.String() }
