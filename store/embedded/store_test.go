package embedded_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/lamppost-city/lamppost/store"
	"github.com/lamppost-city/lamppost/store/embedded"
	"github.com/lamppost-city/lamppost/store/influx"
	"github.com/lamppost-city/lamppost/store/storetest"
)

func config(t testing.TB) embedded.Config {
	cfg := embedded.DefaultConfig()
	cfg.Dir = filepath.Join(t.TempDir(), "store")
	return cfg
}

func write(t testing.TB, c *influx.Client, lines ...string) {
	t.Helper()
	if err := c.Write(context.Background(), []byte(strings.Join(lines, "\n"))); err != nil {
		t.Fatal(err)
	}
}

// speeds returns the values of the field speed, of all sensors, in the order of time.
func speeds(t testing.TB, c *influx.Client) []float64 {
	t.Helper()
	series, err := c.Query(context.Background(), `SELECT "speed" FROM "traffic"`)
	if err != nil {
		t.Fatal(err)
	}
	if len(series) == 0 {
		return nil
	}
	return series[0].Values[0]
}

func point(speed int, at time.Time) string {
	return fmt.Sprintf("traffic,sensor=loop-1 speed=%d %d", speed, at.UnixMilli())
}

// until waits for another process, or a timer that is not ours.
func until(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited 20 s for %s", what)
		}
	}
}

func TestPointsSurviveARestart(t *testing.T) {
	cfg := config(t)
	s, stop := storetest.StartEmbedded(t, cfg)
	first := s.Influx()
	now := time.Now()
	write(t, storetest.Client(t, first), point(1, now), point(2, now.Add(-400*24*time.Hour)))
	if err := s.Health(); err != nil {
		t.Errorf("running: %v", err)
	}
	stop()
	if err := s.Health(); err == nil {
		t.Error("a store that has stopped says that it is healthy")
	}
	if s.Influx().URL != "" {
		t.Error("a store that has stopped gives an address")
	}

	s, _ = storetest.StartEmbedded(t, cfg)
	if s.Influx().Token != first.Token {
		t.Error("the password is another one after a restart")
	}
	if got := speeds(t, storetest.Client(t, s.Influx())); !cmp.Equal(got, []float64{2, 1}) {
		t.Errorf("after the restart: %v", got)
	}
}

func TestStopLeavesNoGoroutine(t *testing.T) {
	before := goleak.IgnoreCurrent()
	for range 2 {
		cfg := config(t)
		s, stop := storetest.StartEmbedded(t, cfg)
		c, err := influx.New(s.Influx(), storetest.Log(t))
		if err != nil {
			t.Fatal(err)
		}
		write(t, c, point(1, time.Now()))
		if got := speeds(t, c); len(got) != 1 {
			t.Errorf("read %v", got)
		}
		c.Close()
		stop()
	}
	goleak.VerifyNone(t, before)
}

func TestStoresBesideEachOtherDoNotMix(t *testing.T) {
	a, _ := storetest.StartEmbedded(t, config(t))
	b, _ := storetest.StartEmbedded(t, config(t))
	write(t, storetest.Client(t, a.Influx()), point(1, time.Now()))
	write(t, storetest.Client(t, b.Influx()), point(2, time.Now()))
	if got := speeds(t, storetest.Client(t, a.Influx())); !cmp.Equal(got, []float64{1}) {
		t.Errorf("the first store has %v", got)
	}
	if got := speeds(t, storetest.Client(t, b.Influx())); !cmp.Equal(got, []float64{2}) {
		t.Errorf("the second store has %v", got)
	}
	// Neither lets the other's password in.
	mixed := a.Influx()
	mixed.Token = b.Influx().Token
	var e *store.Error
	if err := storetest.Client(t, mixed).Ping(context.Background()); !errors.As(err, &e) || e.Kind != store.Denied {
		t.Errorf("another store's password: %v", err)
	}
}

func TestFolderInUseOrUnusableIsRefusedInOneSentence(t *testing.T) {
	cfg := config(t)
	s, _ := storetest.StartEmbedded(t, cfg)
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for dir, words := range map[string]string{
		cfg.Dir:                         fmt.Sprintf("is in use by process %d", os.Getpid()),
		filepath.Join(file, "readings"): "create the store's folder",
	} {
		again := cfg
		again.Dir = dir
		second, err := embedded.New(again, storetest.Log(t))
		if err != nil {
			t.Fatal(err)
		}
		err = second.Run(context.Background())
		if err == nil || !strings.Contains(err.Error(), words) || !strings.Contains(err.Error(), dir) || strings.Contains(err.Error(), "\n") {
			t.Errorf("folder %s: %v", dir, err)
		}
	}
	write(t, storetest.Client(t, s.Influx()), point(1, time.Now()))
	if got := speeds(t, storetest.Client(t, s.Influx())); len(got) != 1 {
		t.Errorf("the first store was disturbed: %v", got)
	}
}

func TestFolderIsClosedToOthers(t *testing.T) {
	cfg := config(t)
	s, stop := storetest.StartEmbedded(t, cfg)
	for name, want := range map[string]os.FileMode{".": 0o700, "password": 0o600, "lock": 0o600, "meta": 0o700} {
		info, err := os.Stat(filepath.Join(cfg.Dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if got := info.Mode().Perm(); got != want {
			t.Errorf("%s has mode %o, want %o", name, got, want)
		}
	}
	text, err := os.ReadFile(filepath.Join(cfg.Dir, "password"))
	if err != nil || "lamppost:"+strings.TrimSpace(string(text)) != s.Influx().Token.Reveal() || len(text) < 20 {
		t.Errorf("the password's file does not hold the password (%v)", err)
	}
	stop()

	// A mode that somebody has widened is narrowed again; a password that is lost is made anew.
	name := filepath.Join(cfg.Dir, "password")
	if err := errors.Join(os.Chmod(name, 0o644), os.Chmod(filepath.Join(cfg.Dir, "meta"), 0o755)); err != nil {
		t.Fatal(err)
	}
	_, stop = storetest.StartEmbedded(t, cfg)
	if info, err := os.Stat(filepath.Join(cfg.Dir, "meta")); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("after a restart the folder of names, and of the user, has mode %o (%v)", info.Mode().Perm(), err)
	}
	if info, err := os.Stat(name); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("after a restart the password's file has mode %o (%v)", info.Mode().Perm(), err)
	}
	stop()
	if err := os.Remove(name); err != nil {
		t.Fatal(err)
	}
	again, _ := storetest.StartEmbedded(t, cfg)
	if again.Influx().Token == s.Influx().Token {
		t.Error("the lost password came back")
	}
	write(t, storetest.Client(t, again.Influx()), point(1, time.Now()))
}

func TestNothingAnswersWithoutThePassword(t *testing.T) {
	s, _ := storetest.StartEmbedded(t, config(t))
	base := s.Influx().URL
	for _, path := range []string{
		"/ping", "/query?q=SHOW+DATABASES", "/query?q=CREATE+USER+x+WITH+PASSWORD+'y'+WITH+ALL+PRIVILEGES", "/api/v2/write?bucket=lamppost/readings",
		"/write?db=lamppost", "/debug/vars", "/debug/requests", "/debug/pprof/", "/metrics", "/status", "/health", "/api/v1/prom/read", "/api/v2/query", "/",
	} {
		for _, method := range []string{"GET", "POST"} {
			req, err := http.NewRequest(method, base+path, strings.NewReader("traffic speed=1"))
			if err != nil {
				t.Fatal(err)
			}
			resp, err := http.DefaultClient.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			body, _ := io.ReadAll(resp.Body)
			_ = resp.Body.Close()
			if resp.StatusCode != 401 && resp.StatusCode != 404 && resp.StatusCode != 405 {
				t.Errorf("%s %s: %d %.200s", method, path, resp.StatusCode, body)
			}
		}
	}
	http.DefaultClient.CloseIdleConnections()
}

func TestOnlyOneLoopbackPortIsOpen(t *testing.T) {
	before := listeners(t)
	s, _ := storetest.StartEmbedded(t, config(t))
	var opened []string
	for inode, address := range listeners(t) {
		if _, old := before[inode]; !old {
			opened = append(opened, address)
		}
	}
	u, err := url.Parse(s.Influx().URL)
	if err != nil {
		t.Fatal(err)
	}
	// /proc/net/tcp has addresses as little-endian hexadecimals: 127.0.0.1 is 0100007F.
	var port int
	_, _ = fmt.Sscan(u.Port(), &port)
	if want := []string{fmt.Sprintf("0100007F:%04X", port)}; !cmp.Equal(opened, want) {
		t.Errorf("listens on %v, want %v", opened, want)
	}
}

// listeners returns the addresses on which this process listens, by the socket's inode.
func listeners(t *testing.T) map[string]string {
	t.Helper()
	own := map[string]bool{}
	fds, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Skip("needs /proc")
	}
	for _, fd := range fds {
		if link, err := os.Readlink("/proc/self/fd/" + fd.Name()); err == nil {
			own[strings.TrimSuffix(strings.TrimPrefix(link, "socket:["), "]")] = true
		}
	}
	open := map[string]string{}
	for _, table := range []string{"/proc/net/tcp", "/proc/net/tcp6"} {
		text, _ := os.ReadFile(table)
		for _, row := range strings.Split(string(text), "\n") {
			if f := strings.Fields(row); len(f) > 9 && f[3] == "0A" && own[f[9]] {
				open[f[9]] = f[1]
			}
		}
	}
	return open
}

func TestRetentionFollowsTheConfiguration(t *testing.T) {
	cfg := config(t)
	cfg.RetentionCheck = 20 * time.Millisecond
	now := time.Now()
	s, stop := storetest.StartEmbedded(t, cfg)
	write(t, storetest.Client(t, s.Influx()), point(1, now), point(2, now.Add(-90*24*time.Hour)), point(3, time.Date(1996, 1, 1, 0, 0, 0, 0, time.UTC)))
	stop()

	// Shortened on what is there already: what is older goes, and cannot be written any more.
	cfg.Retention = 30 * 24 * time.Hour
	s, stop = storetest.StartEmbedded(t, cfg)
	c := storetest.Client(t, s.Influx())
	until(t, "old points to go", func() bool { return len(speeds(t, c)) == 1 })
	var e *store.Error
	err := c.Write(context.Background(), []byte(point(4, now.Add(-31*24*time.Hour))+"\n"+point(5, now.Add(-time.Hour))))
	if !errors.As(err, &e) || e.Kind != store.Rejected || !strings.Contains(e.Message, "retention") {
		t.Errorf("a point older than the retention: %v", err)
	}
	stop()

	// Lengthened again, also to for ever.
	cfg.Retention = 0
	s, _ = storetest.StartEmbedded(t, cfg)
	c = storetest.Client(t, s.Influx())
	write(t, c, point(6, now.Add(-4000*24*time.Hour)))
	if got := speeds(t, c); !cmp.Equal(got, []float64{6, 5, 1}) {
		t.Errorf("kept %v", got)
	}
}

func TestBodyBeyondTheLimitIsTooLarge(t *testing.T) {
	cfg := config(t)
	cfg.MaxBodyBytes = 1 << 20
	s, _ := storetest.StartEmbedded(t, cfg)
	lines := []byte(strings.Repeat(point(1, time.Now())+"\n", 40_000))
	var e *store.Error
	if err := storetest.Client(t, s.Influx()).Write(context.Background(), lines); !errors.As(err, &e) || e.Kind != store.TooLarge {
		t.Errorf("%d bytes: %v", len(lines), err)
	}
}

func TestDamagedPartIsReported(t *testing.T) {
	cfg := config(t)
	cfg.CacheColdAfter = 10 * time.Millisecond
	s, stop := storetest.StartEmbedded(t, cfg)
	write(t, storetest.Client(t, s.Influx()), point(1, time.Now()))
	shards := filepath.Join(cfg.Dir, "data", "lamppost", "readings")
	stop()
	found, err := os.ReadDir(shards)
	if err != nil || len(found) == 0 {
		t.Fatalf("shards: %v %v", found, err)
	}
	shard := filepath.Join(shards, found[0].Name())
	if err := os.WriteFile(filepath.Join(shard, "000000001-000000001.tsm"), []byte("not a data file, but long enough to be looked into"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(shard, "fields.idx"), []byte("nonsense"), 0o600); err != nil {
		t.Fatal(err)
	}
	for start := range 2 {
		s, stop = storetest.StartEmbedded(t, cfg)
		if err := s.Health(); err == nil || !strings.Contains(err.Error(), shard) {
			t.Errorf("start %d with a data file that cannot be read: %v", start+1, err)
		}
		stop()
	}
}

func TestConfigNamesEveryFault(t *testing.T) {
	cfg := embedded.Config{Listen: "0.0.0.0:0", Retention: time.Minute, WALSyncDelay: time.Hour, MaxSelectPoints: -1}
	err := cfg.Validate()
	for _, key := range []string{
		"dir", "listen", "retention", "retention_check", "wal_sync_delay", "cache_snapshot_bytes", "cache_cold_after", "min_free_bytes", "max_body_bytes", "max_connections",
		"query_timeout", "max_queries", "max_select_points", "max_select_series", "max_select_buckets", "max_series", "stop_timeout",
	} {
		if err == nil || !strings.Contains("\n"+err.Error(), "\n"+key+": ") {
			t.Errorf("no fault for %s in %v", key, err)
		}
	}
	for _, listen := range []string{"", "localhost:0", "192.0.2.1:1", ":8086", "127.0.0.1", "127.0.0.1:http", "127.0.0.1:70000", "[::]:0"} {
		cfg := config(t)
		cfg.Listen = listen
		if err := cfg.Validate(); err == nil {
			t.Errorf("listens on %q", listen)
		}
	}
	for _, listen := range []string{"127.0.0.1:0", "127.0.0.2:8086", "[::1]:0"} {
		cfg := config(t)
		cfg.Listen = listen
		if err := cfg.Validate(); err != nil {
			t.Errorf("%s: %v", listen, err)
		}
	}
}
