package rpc

import (
	"context"
	"sync"
	"time"

	"github.com/dserver/dserver/rpc/message"
	"github.com/dserver/dserver/rpc/status"
)

// joint puts the replies of handlers that the reader runs into batches, so that the
// replies to what came with one read leave with few writes.
type joint struct {
	enc  *encoder
	bufs *bufferPool

	// The reader alone begins and ends, but a handler that it has run may reply when
	// another goroutine is the reader.
	mu    sync.Mutex
	on    bool
	batch *buffer
	count int // of its replies
}

// mostJoint is how many replies leave with one write. That is enough to make the write
// cheap for each, and so few that the peer has something to do while the others are made:
// with more of them the two sides wait for each other in turn.
const mostJoint = 8

// maxJointBody is the size of a body from which on a reply leaves by itself, as joining
// would mean copying.
const maxJointBody = maxBatch / mostJoint

// begin lets replies wait.
func (j *joint) begin() {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.on = true
}

// end gives what waits; nil is nothing.
func (j *joint) end() *buffer {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.on = false
	return j.take()
}

func (j *joint) take() *buffer {
	batch := j.batch
	j.batch, j.count = nil, 0
	return batch
}

// add puts m with those that wait, unless none do now or it is large. What it gives has to
// be written at once, and the CALL that ends with m then; else it has ended.
func (j *joint) add(m *message.Message, ends *inbound) (added bool, full *buffer, err error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if !j.on || j.enc.framer == nil || len(m.Body) > maxJointBody {
		return false, nil, nil
	}
	room := len(m.Body) + frameRoom
	if j.batch == nil {
		j.batch = j.bufs.get(mostJoint * room) // the others are likely to be alike
	} else {
		j.batch = j.bufs.grow(j.batch, len(j.batch.b)+room)
	}
	if j.batch.b, err = j.enc.append(j.batch.b, m); err != nil {
		return true, nil, status.Newf(status.WriteFailed, "%w", err)
	}
	if j.count++; j.count == mostJoint {
		full = j.take()
	} else {
		ends.vacate()
	}
	return true, full, nil
}

// hold lets the reply to a message wait for those to the others that have come already.
// It is work of the session, which does not end before release.
func (s *Session) hold(in *inbound) {
	in.reader = s.reading
	s.reading.prepare()
	if !s.holds {
		s.holds = true
		s.work.add()
		s.joint.begin()
	}
}

// release comes before the reader waits.
func (s *Session) release() {
	if !s.holds {
		return
	}
	s.holds = false
	if batch := s.joint.end(); batch != nil {
		s.sent("several", writeEnded(s.out.write(context.Background(), s.e.limits.ReplyTime, batch, nil)))
	}
	s.work.done()
}

// answer sends a reply, together with others if it may be.
func (s *Session) answer(p *passage, wait time.Duration) error {
	if p.joint {
		if added, full, err := s.joint.add(&p.m, p.ends); added {
			if err == nil && full != nil {
				err = writeEnded(s.out.write(context.Background(), wait, full, p.ends))
			}
			return err
		}
	}
	return s.send(context.Background(), wait, &p.m, p.ends)
}
