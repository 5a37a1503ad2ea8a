package embedded

import (
	"errors"
	"fmt"
	"log"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"github.com/influxdata/influxdb/coordinator"
	"github.com/influxdata/influxdb/monitor"
	"github.com/influxdata/influxdb/query"
	"github.com/influxdata/influxdb/services/httpd"
	"github.com/influxdata/influxdb/services/meta"
	"github.com/influxdata/influxdb/services/precreator"
	"github.com/influxdata/influxdb/services/retention"
	"github.com/influxdata/influxdb/toml"
	"github.com/influxdata/influxdb/tsdb"
	_ "github.com/influxdata/influxdb/tsdb/engine" // the engine registers itself by being linked
	"github.com/influxdata/influxdb/tsdb/index/inmem"

	"go.uber.org/zap"

	"github.com/lamppost-city/lamppost/internal/secret"
	"github.com/lamppost-city/lamppost/store/embedded/aggregate"
)

// The names under which readings are kept, and the only user.
const (
	database = "lamppost"
	policy   = "readings"
	user     = "lamppost"
)

// engine is the parts of influxd, put together.
type engine struct {
	meta      *meta.Client
	data      *tsdb.Store
	shards    *shards // of data, for who writes
	queries   *query.Executor
	points    *coordinator.PointsWriter
	retention *retention.Service
	precreate *precreator.Service
	// damaged are folders and files that hold data and could not be opened.
	damaged []string
}

// openEngine opens the files below cfg.Dir. It takes as long as reading the write-ahead log takes.
func openEngine(cfg Config, pass secret.String, out *slog.Logger) (*engine, error) {
	zlog := newEngineLog(out)
	e := &engine{meta: meta.NewClient(&meta.Config{Dir: filepath.Join(cfg.Dir, "meta")})}
	e.meta.WithLogger(zlog)
	// InfluxDB writes the file in it, with the hash of the password, for everybody to read: the folder keeps others out.
	if err := errors.Join(os.MkdirAll(filepath.Join(cfg.Dir, "meta"), 0o700), os.Chmod(filepath.Join(cfg.Dir, "meta"), 0o700)); err != nil {
		return nil, fmt.Errorf("create the store's folder of names: %w", err)
	}
	if err := e.meta.Open(); err != nil {
		return nil, fmt.Errorf("open the store's names: %w", err)
	}
	if err := prepare(e.meta, cfg.Retention, pass); err != nil {
		return nil, errors.Join(err, e.meta.Close())
	}
	if err := repairLogs(cfg.Dir, out); err != nil {
		return nil, errors.Join(err, e.meta.Close())
	}
	e.data = newData(cfg, zlog)
	if err := e.data.Open(); err != nil {
		return nil, errors.Join(fmt.Errorf("open the store's data: %w", err), e.data.Close(), e.meta.Close())
	}
	e.damaged = damaged(cfg.Dir, e.data.ShardIDs())

	e.shards = newShards(e.data, out)
	e.points = coordinator.NewPointsWriter()
	e.points.TSDBStore = e.shards
	e.points.MetaClient = e.meta
	e.points.WithLogger(zlog)
	e.queries = newQueries(cfg, e, zlog)
	e.retention, e.precreate = newServices(cfg, e, zlog)
	if err := errors.Join(e.points.Open(), e.retention.Open(), e.precreate.Open()); err != nil {
		return nil, errors.Join(fmt.Errorf("start the store's services: %w", err), e.close())
	}
	e.shards.open()
	return e, nil
}

func newData(cfg Config, zlog *zap.Logger) *tsdb.Store {
	s := tsdb.NewStore(filepath.Join(cfg.Dir, "data"))
	c := tsdb.NewConfig()
	c.Dir = s.Path()
	c.WALDir = filepath.Join(cfg.Dir, "wal")
	c.WALFsyncDelay = toml.Duration(cfg.WALSyncDelay)
	c.Index = inmem.IndexName
	c.QueryLogEnabled = false
	c.CacheSnapshotMemorySize = toml.Size(cfg.CacheSnapshotBytes)
	c.CacheMaxMemorySize = toml.Size(cfg.CacheMaxBytes)
	c.CacheSnapshotWriteColdDuration = toml.Duration(cfg.CacheColdAfter)
	c.MaxSeriesPerDatabase = cfg.MaxSeries
	c.MaxValuesPerTag = cfg.MaxSeries
	s.EngineOptions.Config = c
	s.EngineOptions.MonitorDisabled = true // shards tends them
	s.EngineOptions.EngineVersion = c.Engine
	s.EngineOptions.IndexVersion = c.Index
	s.WithLogger(zlog)
	return s
}

func newQueries(cfg Config, e *engine, zlog *zap.Logger) *query.Executor {
	q := query.NewExecutor()
	own := &coordinator.StatementExecutor{
		MetaClient:  e.meta,
		TaskManager: q.TaskManager,
		TSDBStore:   e.data,
		ShardMapper: &coordinator.LocalShardMapper{
			MetaClient: e.meta,
			TSDBStore:  coordinator.LocalTSDBStore{Store: e.data},
		},
		// Never opened: it is there so that SHOW STATS answers rather than panics.
		Monitor:           monitor.New(nil, monitor.NewConfig()),
		PointsWriter:      e.points,
		MaxSelectPointN:   cfg.MaxSelectPoints,
		MaxSelectSeriesN:  cfg.MaxSelectSeries,
		MaxSelectBucketsN: cfg.MaxSelectBuckets,
	}
	q.StatementExecutor = &aggregate.Executor{StatementExecutor: own, Names: e.meta, Data: e.data}
	q.TaskManager.QueryTimeout = cfg.QueryTimeout
	q.TaskManager.MaxConcurrentQueries = cfg.MaxQueries
	q.WithLogger(zlog)
	return q
}

func newServices(cfg Config, e *engine, zlog *zap.Logger) (*retention.Service, *precreator.Service) {
	r := retention.NewService(retention.Config{Enabled: true, CheckInterval: toml.Duration(cfg.RetentionCheck)})
	r.MetaClient = e.meta
	r.TSDBStore = e.data
	r.WithLogger(zlog)
	p := precreator.NewService(precreator.NewConfig())
	p.MetaClient = e.meta
	p.WithLogger(zlog)
	return r, p
}

// handler answers what Lamppost asks and nothing else: influxd would also give away its variables and metrics.
func (e *engine) handler(cfg Config, out *slog.Logger) http.Handler {
	c := httpd.NewConfig()
	c.AuthEnabled = true
	c.PingAuthEnabled = true
	c.LogEnabled = false
	c.PprofEnabled = false
	c.MaxBodySize = int(cfg.MaxBodyBytes)
	h := httpd.NewHandler(c)
	h.Version = "1.8.10"
	h.BuildType = "OSS"
	h.MetaClient = e.meta
	h.QueryAuthorizer = meta.NewQueryAuthorizer(e.meta)
	h.WriteAuthorizer = meta.NewWriteAuthorizer(e.meta)
	h.QueryExecutor = e.queries
	h.PointsWriter = e.points
	h.Logger = newEngineLog(out)
	h.CLFLogger = log.New(panicLog{out}, "", 0)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/ping", "/query", writePath:
			h.ServeHTTP(w, r)
		default:
			http.NotFound(w, r)
		}
	})
}

// close ends what is running and closes the files. The engine cannot be used again.
func (e *engine) close() error {
	e.shards.close()
	return errors.Join(
		e.precreate.Close(), e.retention.Close(), e.points.Close(), e.queries.Close(), e.data.Close(), e.meta.Close(),
	)
}

// prepare makes the database, the policy and the user what the configuration says, whatever they were.
func prepare(m *meta.Client, keep time.Duration, pass secret.String) error {
	replicas := 1
	spec := &meta.RetentionPolicySpec{Name: policy, Duration: &keep, ReplicaN: &replicas}
	if m.Database(database) == nil {
		if _, err := m.CreateDatabaseWithRetentionPolicy(database, spec); err != nil {
			return fmt.Errorf("create the store's database: %w", err)
		}
	}
	existing, err := m.RetentionPolicy(database, policy)
	if err != nil {
		return fmt.Errorf("look for the store's retention policy: %w", err)
	}
	if existing == nil {
		if _, err := m.CreateRetentionPolicy(database, spec, true); err != nil {
			return fmt.Errorf("create the store's retention policy: %w", err)
		}
	} else if existing.Duration != keep {
		shards := spec.NewRetentionPolicyInfo().ShardGroupDuration
		change := &meta.RetentionPolicyUpdate{Duration: &keep, ShardGroupDuration: &shards}
		if err := m.UpdateRetentionPolicy(database, policy, change, true); err != nil {
			return fmt.Errorf("change the store's retention from %s to %s: %w", existing.Duration, keep, err)
		}
	}
	return prepareUser(m, pass)
}

// prepareUser makes pass the password of the one user. A password that fits already is remembered by the engine, so that
// the first request need not wait for it to be checked.
func prepareUser(m *meta.Client, pass secret.String) error {
	if _, err := m.User(user); errors.Is(err, meta.ErrUserNotFound) {
		if _, err := m.CreateUser(user, pass.Reveal(), true); err != nil {
			return fmt.Errorf("create the store's user: %w", err)
		}
		return nil
	}
	if _, err := m.Authenticate(user, pass.Reveal()); err == nil {
		return nil
	}
	// The password's file was removed, and a new one made.
	if err := m.UpdateUser(user, pass.Reveal()); err != nil {
		return fmt.Errorf("change the store's password: %w", err)
	}
	return nil
}

// damaged lists folders of shards that are not among those opened, and data files that an earlier start has set aside.
// influxd goes on without what it cannot open, and answers queries as if its points had never been.
func damaged(dir string, opened []uint64) []string {
	parent := filepath.Join(dir, "data", database, policy)
	entries, _ := os.ReadDir(parent)
	var found []string
	for _, entry := range entries {
		id, err := strconv.ParseUint(entry.Name(), 10, 64)
		if err == nil && !slices.Contains(opened, id) {
			found = append(found, filepath.Join(parent, entry.Name()))
		}
	}
	aside, _ := filepath.Glob(filepath.Join(parent, "*", "*.bad"))
	return append(found, aside...)
}
