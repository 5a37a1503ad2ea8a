package config_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/pflag"

	"github.com/lamppost-city/lamppost/config"
	"github.com/lamppost-city/lamppost/internal/faults"
	"github.com/lamppost-city/lamppost/internal/secret"
)

type spoolConfig struct {
	Dir      string        `mapstructure:"dir"`
	MaxBytes int64         `mapstructure:"max_bytes"`
	MaxAge   time.Duration `mapstructure:"max_age"`
	Oldest   time.Time     `mapstructure:"oldest"`
	Strict   bool          `mapstructure:"strict"`
	Share    float64       `mapstructure:"share"`
	Names    []string      `mapstructure:"names"`
	Wiring   []string      `mapstructure:"-"`
}

type route struct {
	Topic  string `mapstructure:"topic"`
	Format string `mapstructure:"format"`
}

type city struct {
	Data  string      `mapstructure:"data"`
	Spool spoolConfig `mapstructure:"spool"`
	HTTP  struct {
		Listen string        `mapstructure:"listen"`
		Token  secret.String `mapstructure:"token"`
		Limit  int           `mapstructure:"limit"`
	} `mapstructure:"http"`
	Routes []route `mapstructure:"routes"`
}

func defaults() city {
	c := city{Data: "data", Spool: spoolConfig{Dir: "spool", MaxBytes: 8 << 30, MaxAge: time.Hour}}
	c.HTTP.Listen, c.HTTP.Limit = "127.0.0.1:8080", 100
	return c
}

// Each testdata/x.good.yml loads and prints as x.good.yml.out; each x.bad.yml fails with exactly the lines of
// x.bad.yml.errors.
func TestFiles(t *testing.T) {
	files, err := filepath.Glob("testdata/*.yml")
	if err != nil || len(files) < 2 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			cfg, sources, err := config.Load(defaults(), config.Options{File: file, EnvPrefix: "LAMPPOST"})
			if strings.HasSuffix(file, ".good.yml") {
				if err != nil {
					t.Fatal(err)
				}
				var printed bytes.Buffer
				if err := config.Print(&printed, cfg, sources); err != nil {
					t.Fatal(err)
				}
				compare(t, file+".out", printed.String())
				return
			}
			var lines strings.Builder
			for _, fault := range faults.Split(err) {
				lines.WriteString(fault.Error() + "\n")
			}
			compare(t, file+".errors", lines.String())
		})
	}
}

func compare(t *testing.T, file, got string) {
	t.Helper()
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatalf("%v; got:\n%s", err, got)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Error(diff)
	}
}

func TestFlagsBeatTheEnvironmentWhichBeatsTheFileWhichBeatsDefaults(t *testing.T) {
	file := filepath.Join(t.TempDir(), "lamppost.yml")
	if err := os.WriteFile(file, []byte("data: of-file\nhttp: {listen: of-file, limit: 1}\nspool: {dir: of-file}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	flags := pflag.NewFlagSet("up", pflag.ContinueOnError)
	flags.String("data", "not this one", "")
	flags.String("http", "not given", "")
	if err := flags.Parse([]string{"--data", "of-flag"}); err != nil {
		t.Fatal(err)
	}
	got, sources, err := config.Load(defaults(), config.Options{
		File: file, EnvPrefix: "LAMPPOST", Environ: []string{"LAMPPOST_DATA=of-env", "LAMPPOST_HTTP_LISTEN=of-env", "HOME=/root", "LAMPPOST_TEST_X=1"},
		OtherEnv: []string{"LAMPPOST_TEST_"}, Flags: flags, FlagKeys: map[string]string{"data": "data", "http": "http.listen"},
	})
	if err != nil {
		t.Fatal(err)
	}
	if got.Data != "of-flag" || got.HTTP.Listen != "of-env" || got.Spool.Dir != "of-file" || got.HTTP.Limit != 1 || got.Spool.MaxAge != time.Hour {
		t.Errorf("got %+v", got)
	}
	if sources["data"] != "--data" || sources["http.listen"] != "LAMPPOST_HTTP_LISTEN" || !strings.HasSuffix(string(sources["spool.dir"]), "lamppost.yml:3") {
		t.Errorf("sources %v", sources)
	}
	if _, set := sources["spool.max_age"]; set {
		t.Error("a default has a source")
	}
}

func TestEveryTypeCanComeFromTheEnvironment(t *testing.T) {
	got, _, err := config.Load(defaults(), config.Options{EnvPrefix: "LAMPPOST", Environ: []string{
		"LAMPPOST_SPOOL_MAX_BYTES=64MiB", "LAMPPOST_SPOOL_MAX_AGE=1.5d", "LAMPPOST_SPOOL_OLDEST=2004-03-10T18:00:00Z",
		"LAMPPOST_SPOOL_STRICT=true", "LAMPPOST_SPOOL_SHARE=0.25", "LAMPPOST_SPOOL_NAMES=a, b", "LAMPPOST_HTTP_TOKEN=hunter2hunter2",
	}})
	if err != nil {
		t.Fatal(err)
	}
	want := spoolConfig{
		Dir: "spool", MaxBytes: 64 << 20, MaxAge: 36 * time.Hour, Oldest: time.Date(2004, 3, 10, 18, 0, 0, 0, time.UTC), Strict: true, Share: 0.25,
		Names: []string{"a", "b"},
	}
	if diff := cmp.Diff(want, got.Spool); diff != "" || got.HTTP.Token.Reveal() != "hunter2hunter2" {
		t.Error(diff)
	}
}

func TestUnknownVariableIsReported(t *testing.T) {
	_, _, err := config.Load(defaults(), config.Options{EnvPrefix: "LAMPPOST", Environ: []string{"LAMPPOST_HTTP_LISTN=x"}})
	if err == nil || err.Error() != "LAMPPOST_HTTP_LISTN: unknown variable; do you mean LAMPPOST_HTTP_LISTEN?" {
		t.Errorf("error: %v", err)
	}
}

func TestPasswordWithinAURLIsNotPrinted(t *testing.T) {
	cfg := defaults()
	cfg.Routes = []route{{"meters/#", "json"}}
	cfg.HTTP.Listen = "mqtts://bridge-1:hunter2@broker.example:8883"
	var printed bytes.Buffer
	if err := config.Print(&printed, cfg, nil); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(printed.String(), "hunter2") || !strings.Contains(printed.String(), "mqtts://bridge-1:xxxxx@broker.example:8883") {
		t.Errorf("printed:\n%s", printed.String())
	}
}

func TestPrintedConfigurationLoadsAgainAndHidesSecrets(t *testing.T) {
	cfg := defaults()
	cfg.HTTP.Token = "hunter2hunter2"
	cfg.Routes = []route{{"meters/#", "json"}}
	cfg.Spool.Oldest = time.Date(2004, 3, 10, 18, 0, 0, 0, time.UTC)
	var printed bytes.Buffer
	if err := config.Print(&printed, cfg, nil); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(printed.String(), "hunter2") {
		t.Errorf("the secret is printed:\n%s", printed.String())
	}
	file := filepath.Join(t.TempDir(), "lamppost.yml")
	if err := os.WriteFile(file, printed.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	again, _, err := config.Load(defaults(), config.Options{File: file, EnvPrefix: "LAMPPOST"})
	if err != nil {
		t.Fatalf("%v in:\n%s", err, printed.String())
	}
	again.HTTP.Token = cfg.HTTP.Token
	if diff := cmp.Diff(cfg, again, cmp.Comparer(func(a, b []string) bool { return len(a) == len(b) })); diff != "" {
		t.Error(diff)
	}
}

func FuzzFile(f *testing.F) {
	f.Add("data: x\nspool: {max_bytes: 1MiB}\nroutes: [{topic: a}]\n")
	f.Add("a: &a [*a]\n? {x: y}\n: z\n")
	f.Fuzz(func(t *testing.T, text string) {
		file := filepath.Join(t.TempDir(), "f.yml")
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		_, _, _ = config.Load(defaults(), config.Options{File: file, EnvPrefix: "LAMPPOST"})
	})
}
