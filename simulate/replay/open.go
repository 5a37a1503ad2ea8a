package replay

import (
	"bytes"
	"cmp"
	"encoding/csv"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/lamppost-city/lamppost/telemetry"
)

// collect lists the files behind paths, each once.
func collect(paths []string) ([]string, error) {
	var files []string
	for _, p := range paths {
		info, err := os.Stat(p)
		if errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("there is no file or folder %s; name recordings, or a folder of them", p)
		}
		if err != nil {
			return nil, err
		}
		if !info.IsDir() {
			files = append(files, p)
			continue
		}
		before := len(files)
		err = filepath.WalkDir(p, func(path string, d fs.DirEntry, err error) error {
			if err == nil && !d.IsDir() && strings.EqualFold(filepath.Ext(path), ".csv") {
				files = append(files, path)
			}
			return err
		})
		if err != nil {
			return nil, err
		}
		if len(files) == before {
			return nil, fmt.Errorf("folder %s holds no *.csv", p)
		}
	}
	slices.Sort(files)
	return slices.Compact(files), nil
}

// open finds the mapping of every file and reads them all. All faults are reported together.
func open(paths []string) ([]*recording, error) {
	files, err := collect(paths)
	if err != nil {
		return nil, err
	}
	all, err := Known()
	if err != nil {
		return nil, err
	}
	var recordings []*recording
	var faults []error
	for _, file := range files {
		m, err := find(file, all)
		if err == nil && m == nil {
			err = fmt.Errorf("%s has no mapping: write one beside it, %s.mapping.yml, that names zone, time, sensors and columns, "+
				"or leave the file out", file, strings.TrimSuffix(filepath.Base(file), filepath.Ext(file)))
		}
		if err != nil {
			faults = append(faults, err)
			continue
		}
		r, err := load(file, m)
		if err != nil {
			faults = append(faults, err)
			continue
		}
		recordings = append(recordings, r)
	}
	return recordings, errors.Join(faults...)
}

// sensorsOf lists the sensors of all recordings by id. Two mappings must not disagree about one.
func sensorsOf(all []*recording) ([]Sensor, error) {
	byID := map[telemetry.SensorID]Sensor{}
	for _, r := range all {
		for _, s := range r.mapping.Sensors {
			known, ok := byID[s.ID]
			if !ok {
				s.Quantities = slices.Clone(s.Quantities)
				byID[s.ID] = s
				continue
			}
			merged := known
			for _, q := range s.Quantities {
				if !contains(merged.Quantities, q) {
					merged.Quantities = append(merged.Quantities, q)
				}
			}
			s.Quantities, known.Quantities = nil, nil
			if !reflect.DeepEqual(s, known) {
				return nil, fmt.Errorf("sensor %s is described in two ways, the second time for %s", s.ID, r.path)
			}
			byID[s.ID] = merged
		}
	}
	sensors := make([]Sensor, 0, len(byID))
	for _, s := range byID {
		sensors = append(sensors, s)
	}
	slices.SortFunc(sensors, func(a, b Sensor) int { return cmp.Compare(a.ID, b.ID) })
	return sensors, nil
}

// tableOf writes sensors in the registry's import format.
func tableOf(sensors []Sensor) (*bytes.Buffer, error) {
	var table bytes.Buffer
	out := csv.NewWriter(&table)
	rows := [][]string{{"sensor", "title", "site", "site_title", "district", "lon", "lat", "publisher", "cadence_s", "quantities"}}
	for _, s := range sensors {
		rows = append(rows, []string{
			string(s.ID), s.Title, s.Site, s.SiteTitle, s.District, degrees(s.Lon), degrees(s.Lat), "",
			strconv.Itoa(int(s.Cadence / time.Second)), strings.Join(s.Quantities, " "),
		})
	}
	return &table, out.WriteAll(rows)
}

func degrees(v float64) string { return strconv.FormatFloat(v, 'f', -1, 64) }
