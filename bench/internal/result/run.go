package result

import (
	"time"

	"github.com/dserver/dserver/bench/internal/usage"
)

// Run is one measurement. Times are in microseconds; CPU is in seconds per million calls;
// allocations, switches and writes are per call. With a cell of idle connections only
// those with Connection in their names count, and Rate, at which they were made.
type Run struct {
	Peer  string `json:"peer"`
	Cell  string `json:"cell"`
	Round int    `json:"round"`

	Seconds float64 `json:"seconds"` // how long was measured
	Calls   int64   `json:"calls"`   // that were answered, or pushes that have come
	Rate    float64 `json:"rate"`    // of those, per second
	P50     float64 `json:"p50"`     // 0 with pushes
	P99     float64 `json:"p99"`
	P999    float64 `json:"p999"`
	Max     float64 `json:"max"`

	CPU            float64 `json:"cpu"` // of both
	CPUClient      float64 `json:"cpu_client"`
	CPUServer      float64 `json:"cpu_server"`
	AllocsClient   float64 `json:"allocs_client"`
	AllocsServer   float64 `json:"allocs_server"`
	BytesClient    float64 `json:"bytes_client"` // allocated
	BytesServer    float64 `json:"bytes_server"`
	Switches       float64 `json:"switches"` // of both
	SwitchesClient float64 `json:"switches_client"`
	SwitchesServer float64 `json:"switches_server"`
	Writes         float64 `json:"writes"` // of both
	WritesClient   float64 `json:"writes_client"`
	WritesServer   float64 `json:"writes_server"`

	RSSServer      int64 `json:"rss_server"`       // bytes, at the end, under load
	RSSServerStart int64 `json:"rss_server_start"` // before the first connection
	RSSClient      int64 `json:"rss_client"`

	Connection           float64 `json:"connection"`            // bytes of RSS that one costs the server
	ConnectionCollected  float64 `json:"connection_collected"`  // the same after the garbage was collected
	ConnectionGoroutines float64 `json:"connection_goroutines"` // of the server

	Errors     int64  `json:"errors"` // calls that failed or got a wrong answer
	Lost       int64  `json:"lost"`   // pushes that were sent without an error and have not come
	FirstError string `json:"first_error,omitempty"`
}

// Sides is what both processes have used.
type Sides struct{ Client, Server usage.Usage }

// Account fills in what both sides have used between two looks, by the number of calls
// that were made between them.
func (r *Run) Account(before, after Sides, calls int64) {
	n := float64(max(calls, 1))
	c, s := after.Client, after.Server
	r.CPUClient, r.CPUServer = (c.CPU-before.Client.CPU).Seconds()*1e6/n, (s.CPU-before.Server.CPU).Seconds()*1e6/n
	r.AllocsClient, r.AllocsServer = float64(c.Objects-before.Client.Objects)/n, float64(s.Objects-before.Server.Objects)/n
	r.BytesClient, r.BytesServer = float64(c.Bytes-before.Client.Bytes)/n, float64(s.Bytes-before.Server.Bytes)/n
	r.SwitchesClient, r.SwitchesServer = float64(c.Switches-before.Client.Switches)/n, float64(s.Switches-before.Server.Switches)/n
	r.WritesClient, r.WritesServer = float64(c.Writes-before.Client.Writes)/n, float64(s.Writes-before.Server.Writes)/n
	r.CPU, r.Switches, r.Writes = r.CPUClient+r.CPUServer, r.SwitchesClient+r.SwitchesServer, r.WritesClient+r.WritesServer
	r.RSSServer, r.RSSClient = s.RSS, c.RSS
}

// Count fills in how many calls were made in what time.
func (r *Run) Count(calls int64, took time.Duration) {
	r.Calls, r.Seconds = calls, took.Seconds()
	if took > 0 {
		r.Rate = float64(calls) / r.Seconds
	}
}

// Micros gives a time in microseconds.
func Micros(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) }
