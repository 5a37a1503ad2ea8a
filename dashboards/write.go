package dashboards

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
)

// Files returns the text of every dashboard's file, by name. The same code returns the same bytes.
func Files() (map[string][]byte, error) {
	files := make(map[string][]byte)
	for _, d := range All() {
		var b bytes.Buffer
		e := json.NewEncoder(&b)
		e.SetEscapeHTML(false) // links stay readable
		e.SetIndent("", " ")
		if err := e.Encode(d); err != nil {
			return nil, fmt.Errorf("write dashboard %s as JSON: %w", d.UID, err)
		}
		files[d.UID+".json"] = b.Bytes()
	}
	return files, nil
}

// Write makes the folder hold exactly the files: those that are not among them and end in .json are removed.
func Write(dir string) error {
	files, err := Files()
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	there, err := present(dir)
	if err != nil {
		return err
	}
	for _, name := range there {
		if files[name] == nil {
			if err := os.Remove(filepath.Join(dir, name)); err != nil {
				return err
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if err := os.WriteFile(filepath.Join(dir, name), files[name], 0o644); err != nil { //nolint:gosec // anybody may read a dashboard
			return err
		}
	}
	return nil
}

// Check says which files of the folder are not what Write would write.
func Check(dir string) error {
	files, err := Files()
	if err != nil {
		return err
	}
	there, err := present(dir)
	if err != nil {
		return err
	}
	var faults []error
	for _, name := range there {
		if files[name] == nil {
			faults = append(faults, fmt.Errorf("%s: no dashboard is written there", filepath.Join(dir, name)))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		text, err := os.ReadFile(filepath.Join(dir, name))
		switch {
		case errors.Is(err, fs.ErrNotExist):
			faults = append(faults, fmt.Errorf("%s: is missing", filepath.Join(dir, name)))
		case err != nil:
			faults = append(faults, err)
		case !bytes.Equal(text, files[name]):
			faults = append(faults, fmt.Errorf("%s: is not what the code writes", filepath.Join(dir, name)))
		}
	}
	return errors.Join(faults...)
}

// present lists the JSON files of a folder.
func present(dir string) ([]string, error) {
	paths, err := filepath.Glob(filepath.Join(dir, "*.json"))
	for i := range paths {
		paths[i] = filepath.Base(paths[i])
	}
	return paths, err
}
