package rpc

import (
	"errors"
	"fmt"
	"net"
	"syscall"
	"time"
)

// Socket sets options of connections. What a connection does not have is left out.
type Socket struct {
	// Delay lets TCP wait for more to send in one packet. It is off by default.
	Delay bool
	// KeepAlive is the time between probes of an idle TCP connection; 0 is the default of
	// package net, 15 s, negative is none.
	KeepAlive time.Duration
	// ReadBuffer and WriteBuffer are the bytes that the system holds for the connection;
	// 0 is the system's default.
	ReadBuffer, WriteBuffer int
}

func (o Socket) check() error {
	return errors.Join(notNegative("Socket.ReadBuffer", o.ReadBuffer), notNegative("Socket.WriteBuffer", o.WriteBuffer))
}

// apply fails only for a socket that refuses.
func (o Socket) apply(conn net.Conn) error {
	conn = beneath(conn)
	var errs []error
	if c, ok := conn.(interface{ SetNoDelay(bool) error }); ok && o.Delay {
		errs = append(errs, c.SetNoDelay(false))
	}
	if c, ok := conn.(interface {
		SetKeepAliveConfig(net.KeepAliveConfig) error
	}); ok && o.KeepAlive != 0 {
		errs = append(errs, c.SetKeepAliveConfig(net.KeepAliveConfig{Enable: o.KeepAlive > 0, Idle: o.KeepAlive, Interval: o.KeepAlive}))
	}
	if c, ok := conn.(interface{ SetReadBuffer(int) error }); ok && o.ReadBuffer > 0 {
		errs = append(errs, c.SetReadBuffer(o.ReadBuffer))
	}
	if c, ok := conn.(interface{ SetWriteBuffer(int) error }); ok && o.WriteBuffer > 0 {
		errs = append(errs, c.SetWriteBuffer(o.WriteBuffer))
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("cannot set the options of a connection: %w", err)
	}
	return nil
}

// beneath gives the connection that has a socket: what TLS and the like lie on.
func beneath(conn net.Conn) net.Conn {
	for {
		wrapper, ok := conn.(interface{ NetConn() net.Conn })
		if !ok {
			return conn
		}
		conn = wrapper.NetConn()
	}
}

// ControlFD calls f with the descriptor of the connection, which stays open and is f's
// only until it returns. It fails with errors.ErrUnsupported if there is none.
func (s *Session) ControlFD(f func(fd uintptr)) error {
	c, ok := beneath(s.conn).(syscall.Conn)
	if !ok {
		return fmt.Errorf("cannot use the descriptor of a %T: %w", s.conn, errors.ErrUnsupported)
	}
	raw, err := c.SyscallConn()
	if err == nil {
		err = raw.Control(f)
	}
	if err != nil {
		return fmt.Errorf("cannot use the descriptor: %w", err)
	}
	return nil
}
