package registry

import (
	"bytes"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Ranks of what is found, the best first.
const (
	rankID    = iota // the id begins with a word searched for
	rankTitle        // a word of the title does
	rankElse
	ranks
)

// search is for words that must all be part of a sensor's id or title, or of its site's. One goroutine uses it.
type search struct {
	words []word
	lower []byte // is used again and again: a hundred thousand titles are looked at
}

// word is a word to search for, with the sites that have it in their id or title.
type word struct {
	text  string
	sites map[string]bool
}

// searchFor returns nil where there is nothing to search for.
func (s *Snapshot) searchFor(q string) *search {
	texts := strings.Fields(strings.ToLower(q))
	if len(texts) == 0 {
		return nil
	}
	found := new(search)
	for _, text := range texts {
		found.words = append(found.words, word{text, make(map[string]bool)})
	}
	for _, site := range s.sites {
		title := found.lowered(site.Title)
		for _, w := range found.words {
			if strings.Contains(site.ID, w.text) || bytes.Contains(title, []byte(w.text)) {
				w.sites[site.ID] = true
			}
		}
	}
	return found
}

// rank tells whether a sensor has all words, and how well. A nil search finds everything.
func (f *search) rank(sensor *Sensor) (rank int, ok bool) {
	if f == nil {
		return rankElse, true
	}
	rank = rankElse
	title := f.lowered(sensor.Title)
	for _, w := range f.words {
		at := strings.Index(string(sensor.ID), w.text)
		if at == 0 {
			rank = rankID
			continue
		}
		begins, within := wordIn(title, w.text)
		if begins {
			rank = min(rank, rankTitle)
		}
		if at < 0 && !within && !w.sites[sensor.Site] {
			return rank, false
		}
	}
	return rank, true
}

// lowered returns a text in lower case, valid until the next call.
func (f *search) lowered(text string) []byte {
	f.lower = f.lower[:0]
	for i := range len(text) {
		c := text[i]
		if c >= utf8.RuneSelf {
			f.lower = append(f.lower[:0], strings.ToLower(text)...)
			return f.lower
		}
		if 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		f.lower = append(f.lower, c)
	}
	return f.lower
}

// wordIn tells whether a text has a word within, and whether one of the text's words begins with it.
func wordIn(text []byte, word string) (begins, within bool) {
	for from := 0; ; {
		at := bytes.Index(text[from:], []byte(word))
		if at < 0 {
			return false, within
		}
		within = true
		before, _ := utf8.DecodeLastRune(text[:from+at])
		if from+at == 0 || !unicode.IsLetter(before) && !unicode.IsDigit(before) {
			return true, true
		}
		from += at + 1
	}
}
