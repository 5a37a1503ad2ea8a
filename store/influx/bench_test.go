package influx_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/klauspost/compress/gzip"

	"github.com/lamppost-city/lamppost/store/influx"
	"github.com/lamppost-city/lamppost/store/storetest"
)

// body is 5,000 points of three fields.
func body() []byte {
	var b bytes.Buffer
	for i := range 5000 {
		fmt.Fprintf(&b, "traffic,district=d%d,sensor=loop-%d,site=site-%d intensity=%d,occupancy=0.%d,speed=%d.%d %d\n",
			i%20, i, i/4, i*7%40, i*13%1000, 30+i%40, i%10, 1772625600000+i)
	}
	return b.Bytes()
}

func swallow(b *testing.B) *httptest.Server {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.WriteHeader(204)
	}))
	b.Cleanup(server.Close)
	return server
}

// BenchmarkWrite is one body of 5,000 points to a server that throws it away. The server is in the same process, so
// compare it with BenchmarkPlainPost: the difference is what the client costs.
func BenchmarkWrite(b *testing.B) {
	for _, level := range []int{0, 1, 6} {
		b.Run(fmt.Sprintf("gzip=%d", level), func(b *testing.B) {
			cfg := influx.DefaultConfig()
			cfg.URL, cfg.Token, cfg.Bucket, cfg.GzipLevel = swallow(b).URL, "token", "lamppost", level
			c := storetest.Client(b, cfg)
			lines := body()
			b.SetBytes(int64(len(lines)))
			b.ReportAllocs()
			for b.Loop() {
				if err := c.Write(context.Background(), lines); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkPlainPost does by net/http alone what BenchmarkWrite does.
func BenchmarkPlainPost(b *testing.B) {
	for _, level := range []int{0, 1} {
		b.Run(fmt.Sprintf("gzip=%d", level), func(b *testing.B) {
			url := swallow(b).URL
			transport := &http.Transport{WriteBufferSize: 64 << 10, ReadBufferSize: 64 << 10}
			defer transport.CloseIdleConnections()
			client := http.Client{Transport: transport}
			lines := body()
			var packed bytes.Buffer
			w, err := gzip.NewWriterLevel(&packed, gzip.BestSpeed)
			if err != nil {
				b.Fatal(err)
			}
			b.SetBytes(int64(len(lines)))
			b.ReportAllocs()
			for b.Loop() {
				sent := lines
				if level > 0 {
					packed.Reset()
					w.Reset(&packed)
					_, _ = w.Write(lines)
					_ = w.Close()
					sent = packed.Bytes()
				}
				resp, err := client.Post(url, "text/plain", bytes.NewReader(sent))
				if err != nil {
					b.Fatal(err)
				}
				_, _ = io.Copy(io.Discard, resp.Body)
				_ = resp.Body.Close()
			}
		})
	}
}

// BenchmarkDecode is an answer of 100,000 rows.
func BenchmarkDecode(b *testing.B) {
	var text bytes.Buffer
	for part := range 10 {
		text.WriteString(`{"results":[{"series":[{"name":"traffic","tags":{"sensor":"a"},"columns":["time","speed"],"values":[`)
		for i := range 10_000 {
			if i > 0 {
				text.WriteByte(',')
			}
			fmt.Fprintf(&text, "[%d,%d.5]", 1772625600000+part*10_000+i, i%90)
		}
		text.WriteString("]}]}]}\n")
	}
	b.SetBytes(int64(text.Len()))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := influx.DecodeForTest(bytes.NewReader(text.Bytes())); err != nil {
			b.Fatal(err)
		}
	}
}
