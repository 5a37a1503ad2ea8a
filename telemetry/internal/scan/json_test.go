package scan_test

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/lamppost-city/lamppost/telemetry/internal/scan"
)

func TestTextsAreThoseOfEncodingJSON(t *testing.T) {
	for _, text := range []string{
		`""`, `"speed"`, `"a\"b\\c\/d\b\f\n\r\t"`, `"\u00e9\u20AC"`, `"\ud83d\ude00"`, `"é€😀"`, `"\u0073peed"`, `"x\u0000y"`,
	} {
		checkText(t, text)
	}
}

// checkText compares what the scanner makes of a JSON document with what encoding/json does, where it is a text.
func checkText(t *testing.T, document string) {
	t.Helper()
	var s scan.Scanner
	var v scan.Value
	s.Reset([]byte(document), 16)
	ok := s.Value(&v, 1) && s.AtEnd()
	var want string
	if !utf8.ValidString(document) || json.Unmarshal([]byte(document), &want) != nil || strings.TrimLeft(document, " \t\r\n")[0] != '"' {
		return
	}
	if !ok || v.Kind != scan.String {
		t.Errorf("%s is not a text: kind %d, %s", document, v.Kind, s.Problem())
		return
	}
	if !utf8.Valid(v.Text) { // half of a surrogate pair, which encoding/json replaces
		if !strings.Contains(want, "\uFFFD") {
			t.Errorf("%s is %q, want %q", document, v.Text, want)
		}
		return
	}
	if string(v.Text) != want {
		t.Errorf("%s is %q, want %q", document, v.Text, want)
	}
}

func TestHalfASurrogatePairIsNotUTF8(t *testing.T) {
	for _, text := range []string{`"\ud83d"`, `"\ude00\ud83d"`, `"\ud83dx"`, `"\ud83d\n"`, `"\ud83d\u0041"`} {
		var s scan.Scanner
		var v scan.Value
		s.Reset([]byte(text), 16)
		if !s.Value(&v, 1) || utf8.Valid(v.Text) {
			t.Errorf("%s is %q", text, v.Text)
		}
	}
}

func TestStructureThatBreaksIsNamedWithItsPlace(t *testing.T) {
	for document, problem := range map[string]string{
		`"abc`:           "cut short at byte 4",
		`"abc\`:          "cut short at byte 5",
		`"\x"`:           "escape that JSON does not have stands at byte 2",
		`"\u12G4"`:       "hexadecimal digits",
		"\"a\nb\"":       "control character stands in a text at byte 2",
		"\"\\t\x01\"":    "control character",
		`[1,2`:           "cut short",
		`[1 2]`:          "a comma or ] should stand at byte 3",
		`{"a" 1}`:        "a colon should stand at byte 5",
		`{a:1}`:          "a key in double quotes should stand at byte 1",
		`[[[[[1]]]]]`:    "nested deeper than 4 at byte 4",
		`{"a":[{"b":[[]`: "nested deeper than 4",
		`]`:              "",
		``:               "cut short",
	} {
		var s scan.Scanner
		var v scan.Value
		s.Reset([]byte(document), 4)
		ok := s.Value(&v, 1)
		if document == "]" {
			if !ok || v.Kind != scan.Missing {
				t.Errorf("] is kind %d", v.Kind)
			}
			continue
		}
		if ok || !strings.Contains(s.Problem(), problem) {
			t.Errorf("%s: %t, %q; want %q", document, ok, s.Problem(), problem)
		}
	}
}

func TestBareWordsThatJSONLacksAreJunkAndSkipped(t *testing.T) {
	for _, word := range []string{"NaN", "-Infinity", "nul", "True", "01", "+1", "0x1F", ".5", "1.", "1e999", "-", "--", "'a'", "undefined"} {
		var s scan.Scanner
		var v scan.Value
		s.Reset([]byte(`[`+word+`,2]`), 4)
		s.Take('[')
		if !s.Value(&v, 2) || v.Kind != scan.Junk || string(v.Text) != word {
			t.Errorf("%s is kind %d, %q", word, v.Kind, v.Text)
		}
		if !s.Take(',') || !s.Value(&v, 2) || v.Num != 2 || !s.Take(']') || !s.AtEnd() {
			t.Errorf("what follows %s is not read", word)
		}
	}
}

func FuzzValue(f *testing.F) {
	for _, document := range []string{`"a\u00e9\ud83d\ude00"`, `{"a":[1,{"b":null}],"c":"d"}`, `[NaN,-1.5e3,true]`, "\xEF\xBB\xBF{}", ` [ ] `} {
		f.Add(document)
	}
	f.Fuzz(func(t *testing.T, document string) {
		var s scan.Scanner
		var v scan.Value
		s.Reset([]byte(document), 16)
		ok := s.Value(&v, 1) && s.AtEnd()
		if !ok && json.Valid([]byte(document)) && depth(document) <= 16 {
			t.Errorf("%q is valid JSON and is refused: %s", document, s.Problem())
		}
		if s.Pos() > len(document) {
			t.Errorf("%q: at byte %d of %d", document, s.Pos(), len(document))
		}
		checkText(t, document)
	})
}

// depth is at least how deep brackets lie in each other.
func depth(document string) int { return strings.Count(document, "[") + strings.Count(document, "{") }

func TestTableForgetsWhenItIsFull(t *testing.T) {
	table := scan.NewTable[int](2)
	for i, text := range []string{"a", "b", "c"} {
		table.Put(text, i)
		if v, ok := table.Get([]byte(text)); v != i || !ok || table.Len() > 2 {
			t.Errorf("%s is %d, %t among %d", text, v, ok, table.Len())
		}
	}
	if _, ok := table.Get([]byte("a")); ok {
		t.Error("a is still known")
	}
}

func TestDetailIsShortAndUTF8(t *testing.T) {
	for _, text := range []string{strings.Repeat("€", 100), strings.Repeat("\xff", 300), strings.Repeat("a", 200), "x"} {
		got := scan.Detail("%s", text)
		if len(got) > 200 || !utf8.ValidString(got) || got == "" {
			t.Errorf("%d bytes: %q", len(got), got)
		}
	}
}
