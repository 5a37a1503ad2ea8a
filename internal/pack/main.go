// Command pack writes a folder into a zip file, so that the same files give the same bytes: in order of name, all of one date, without
// anything of the machine. A folder and a date come in, a zip file goes out; scripts/plugin.sh calls it.
package main

import (
	"archive/zip"
	"compress/flate"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"
	"time"
)

func main() {
	date := flag.Int64("date", 0, "date of every file, in Unix seconds")
	programs := flag.String("programs", "gpx_", "what names of programs begin with: they may be run")
	flag.Parse()
	if flag.NArg() != 2 {
		fmt.Fprintln(os.Stderr, "usage: pack [-date SECONDS] FOLDER FILE.zip")
		os.Exit(2)
	}
	if err := pack(flag.Arg(0), flag.Arg(1), *programs, time.Unix(*date, 0).UTC()); err != nil {
		fmt.Fprintln(os.Stderr, "pack:", err)
		os.Exit(1)
	}
}

// pack writes what is in folder, under the folder's own name.
func pack(folder, file, programs string, date time.Time) (err error) {
	out, err := os.Create(file)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, out.Close()) }()
	w := zip.NewWriter(out)
	w.RegisterCompressor(zip.Deflate, func(to io.Writer) (io.WriteCloser, error) { return flate.NewWriter(to, flate.BestCompression) })
	files := os.DirFS(folder)
	err = fs.WalkDir(files, ".", func(name string, entry fs.DirEntry, err error) error { // in order of name
		if err != nil || entry.IsDir() {
			return err
		}
		header := &zip.FileHeader{Name: path.Join(path.Base(folder), name), Method: zip.Deflate, Modified: date}
		header.SetMode(0o644)
		if strings.HasPrefix(path.Base(name), programs) {
			header.SetMode(0o755)
		}
		return add(w, header, files, name)
	})
	if err != nil {
		return fmt.Errorf("pack %s: %w", folder, err)
	}
	return w.Close()
}

func add(w *zip.Writer, header *zip.FileHeader, files fs.FS, name string) error {
	from, err := files.Open(name)
	if err != nil {
		return err
	}
	defer from.Close()
	to, err := w.CreateHeader(header)
	if err != nil {
		return err
	}
	_, err = io.Copy(to, from)
	return err
}
