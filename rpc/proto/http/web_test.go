package http_test

import (
	"encoding/json"
	nethttp "net/http"
)

// newWeb is a server that knows nothing of us.
func newWeb() *nethttp.Server {
	mux := nethttp.NewServeMux()
	mux.HandleFunc("POST /page", func(w nethttp.ResponseWriter, r *nethttp.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.(nethttp.Flusher).Flush() // so that it sends chunks
		_ = json.NewEncoder(w).Encode(r.Host + "/page " + r.FormValue("n"))
	})
	return &nethttp.Server{Handler: mux}
}
