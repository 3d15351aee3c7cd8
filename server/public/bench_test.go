package public

import (
	"bufio"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
)

// BenchmarkOCSP compares the door with a bare net/http server that answers 500 octets, with the same client over
// loopback: the ratio in one run is what counts.
func BenchmarkOCSP(b *testing.B) {
	h := newHouse(b)
	path := "/ocsp/" + url.QueryEscape(base64.StdEncoding.EncodeToString(ask(b, nil, h.issuing, h.good.SerialNumber)))
	bare := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.Write(make([]byte, 500)) }))
	defer bare.Close()
	for _, server := range []struct{ name, url string }{{"bare", bare.URL}, {"door", h.url}} {
		b.Run(server.name, func(b *testing.B) {
			host := strings.TrimPrefix(server.url, "http://")
			b.SetParallelism(16)
			b.RunParallel(func(pb *testing.PB) {
				c, err := net.Dial("tcp", host)
				if err != nil {
					b.Error(err)
					return
				}
				defer c.Close()
				r := bufio.NewReader(c)
				for pb.Next() {
					fmt.Fprintf(c, "GET %s HTTP/1.1\r\nHost: %s\r\n\r\n", path, host)
					got, err := http.ReadResponse(r, nil)
					if err != nil {
						b.Error(err)
						return
					}
					io.Copy(io.Discard, got.Body)
					got.Body.Close()
					if got.StatusCode != 200 {
						b.Error(got.Status)
						return
					}
				}
			})
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "answers/s")
		})
	}
}
