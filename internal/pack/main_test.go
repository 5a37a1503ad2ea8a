package main

import (
	"archive/zip"
	"bytes"
	"os"
	"path/filepath"
	"testing"
	"time"
)

func TestSameFilesGiveTheSameBytes(t *testing.T) {
	date := time.Unix(1_700_000_000, 0).UTC()
	var packed [][]byte
	for i := range 2 {
		folder := filepath.Join(t.TempDir(), "thing")
		for _, name := range []string{"b/gpx_run", "a.txt", "b/c.txt"} {
			file := filepath.Join(folder, name)
			if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(file, []byte(name), os.FileMode(0o600+i*0o044)); err != nil { // what the machine makes of files is not packed
				t.Fatal(err)
			}
		}
		file := filepath.Join(t.TempDir(), "thing.zip")
		if err := pack(folder, file, "gpx_", date); err != nil {
			t.Fatal(err)
		}
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		packed = append(packed, text)
	}
	if !bytes.Equal(packed[0], packed[1]) {
		t.Error("two runs gave different bytes")
	}
	r, err := zip.NewReader(bytes.NewReader(packed[0]), int64(len(packed[0])))
	if err != nil {
		t.Fatal(err)
	}
	modes := map[string]os.FileMode{"thing/a.txt": 0o644, "thing/b/c.txt": 0o644, "thing/b/gpx_run": 0o755}
	if len(r.File) != len(modes) {
		t.Errorf("%d files were packed", len(r.File))
	}
	for _, f := range r.File {
		if want, ok := modes[f.Name]; !ok || f.Mode() != want || !f.Modified.Equal(date) {
			t.Errorf("%s has mode %s and date %s", f.Name, f.Mode(), f.Modified)
		}
	}
}
