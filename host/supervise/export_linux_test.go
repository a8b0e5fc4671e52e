package supervise

import "time"

// SetHaltLimit makes Freeze less patient.
func SetHaltLimit(s *Spawner, limit time.Duration) { s.frost.limit = limit }
