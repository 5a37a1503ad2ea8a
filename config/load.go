package config

import (
	"errors"
	"fmt"
	"os"
	"reflect"
	"strings"

	"github.com/spf13/pflag"
	"github.com/spf13/viper"
)

// Options say where to look for what a person has set.
type Options struct {
	// File is a YAML file; "" for none.
	File string
	// EnvPrefix begins the names of environment variables: LAMPPOST for LAMPPOST_HTTP_LISTEN.
	EnvPrefix string
	// Environ is the environment, as os.Environ returns it.
	Environ []string
	// OtherEnv are beginnings of variables under the prefix that are not configuration and are left alone.
	OtherEnv []string
	// Flags and FlagKeys connect flags, by name, with keys. Only flags that were given count.
	Flags    *pflag.FlagSet
	FlagKeys map[string]string
}

// Source is where the value of a key came from.
type Source string

// Sources are the sources of every key, by path. A key that is not in it has its default.
type Sources map[string]Source

// Load returns the defaults, overwritten with what was set. T is a struct whose fields have mapstructure tags. The error
// joins everything that is wrong: unknown keys, and values that cannot be read. Whether the values make sense is for
// their owners to check.
func Load[T any](defaults T, opts Options) (T, Sources, error) {
	target := reflect.ValueOf(&defaults).Elem()
	l := loader{opts: opts, keys: keysOf(target.Type(), "", nil), v: viper.New(), sources: make(Sources)}
	l.declare(target)
	l.readFile()
	l.readEnv()
	l.readFlags()
	for _, k := range l.keys {
		source, set := l.sources[k.path]
		if !set {
			continue
		}
		if err := assign(target.FieldByIndex(k.index), k, l.v.Get(k.path)); err != nil {
			l.faults = append(l.faults, fmt.Errorf("%s: %w (%s)", k.path, err, source))
		}
	}
	return defaults, l.sources, errors.Join(l.faults...)
}

type loader struct {
	opts    Options
	keys    []key
	v       *viper.Viper
	sources Sources
	faults  []error
}

// declare names every key to viper, which overlooks what it does not know.
func (l *loader) declare(target reflect.Value) {
	for _, k := range l.keys {
		l.v.SetDefault(k.path, target.FieldByIndex(k.index).Interface())
	}
}

func (l *loader) paths() []string {
	paths := make([]string, len(l.keys))
	for i, k := range l.keys {
		paths[i] = k.path
	}
	return paths
}

func (l *loader) readFile() {
	if l.opts.File == "" {
		return
	}
	set, err := fileKeys(l.opts.File, l.paths())
	for _, one := range set {
		l.sources[one.path] = Source(fmt.Sprintf("%s:%d", l.opts.File, one.line))
	}
	if err != nil {
		l.faults = append(l.faults, err)
	}
	if len(set) == 0 {
		return
	}
	l.v.SetConfigFile(l.opts.File)
	l.v.SetConfigType("yaml")
	if err := l.v.ReadInConfig(); err != nil {
		l.faults = append(l.faults, fmt.Errorf("%s: %w", l.opts.File, err))
	}
}

func (l *loader) readEnv() {
	byName := make(map[string]string, len(l.keys))
	names := make([]string, 0, len(l.keys))
	for _, k := range l.keys {
		name := envName(l.opts.EnvPrefix, k.path)
		byName[name] = k.path
		names = append(names, name)
	}
	for _, pair := range l.opts.Environ {
		name, value, _ := strings.Cut(pair, "=")
		if !strings.HasPrefix(name, l.opts.EnvPrefix+"_") || l.otherEnv(name) {
			continue
		}
		path, known := byName[name]
		if !known {
			l.faults = append(l.faults, fmt.Errorf("%s: unknown variable%s", name, meant(name, names)))
			continue
		}
		l.sources[path] = Source(name)
		l.v.Set(path, value)
	}
}

func (l *loader) otherEnv(name string) bool {
	for _, other := range l.opts.OtherEnv {
		if strings.HasPrefix(name, other) {
			return true
		}
	}
	return false
}

func (l *loader) readFlags() {
	if l.opts.Flags == nil {
		return
	}
	for name, path := range l.opts.FlagKeys {
		flag := l.opts.Flags.Lookup(name)
		if flag == nil || !flag.Changed {
			continue
		}
		l.sources[path] = Source("--" + name)
		l.v.Set(path, flag.Value.String())
	}
}

func meant(name string, names []string) string {
	if near := nearest(name, names); near != "" {
		return "; do you mean " + near + "?"
	}
	return ""
}

// Environ is the process's environment.
func Environ() []string { return os.Environ() }
