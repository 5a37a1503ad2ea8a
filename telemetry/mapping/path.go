package mapping

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/lamppost-city/lamppost/telemetry/internal/scan"
)

// path is a place, or several, in a payload.
type path struct {
	text string
	// whole says that it begins at the payload, not at the record.
	whole    bool
	segments []segment
}

type segmentKind uint8

const (
	byKey   segmentKind = iota
	byIndex             // an element of an array
	every               // * : all elements or members
	where               // [key=value] : those elements or members
)

// segment is one step of a path.
type segment struct {
	kind  segmentKind
	key   string
	index int
	is    literal
	// list says that it was written in brackets; it is only of use to Example.
	list bool
}

// loops says whether the segment may lead to several places.
func (s segment) loops() bool { return s.kind == every || s.kind == where }

// Bounds of a path.
const (
	maxPath     = 500
	maxSegments = 24
	maxIndex    = 1_000_000
)

// parsePath reads a path; see the package comment.
func parsePath(text string) (*path, error) {
	switch {
	case text == "":
		return nil, errors.New("is empty; write a path such as temperature or ENERGY.Power")
	case len(text) > maxPath:
		return nil, fmt.Errorf("has %d characters; at most %d are allowed", len(text), maxPath)
	}
	p := &path{text: text}
	rest := text
	if first := rest[0]; first == '$' || first == '@' {
		p.whole, rest = first == '$', rest[1:]
		if rest != "" && rest[0] != '.' && rest[0] != '[' {
			return nil, fmt.Errorf("%q has something behind %c; write a dot, or put a key that begins so in double quotes", text, first)
		}
	} else if rest[0] != '[' {
		rest = "." + rest
	}
	for rest != "" {
		var s segment
		var err error
		if s, rest, err = parseSegment(rest); err != nil {
			return nil, fmt.Errorf("%q: %w", text, err)
		}
		p.segments = append(p.segments, s)
	}
	if len(p.segments) > maxSegments {
		return nil, fmt.Errorf("%q has %d steps; at most %d are allowed", text, len(p.segments), maxSegments)
	}
	return p, nil
}

// parseSegment takes .key, .* or [...] from the front.
func parseSegment(text string) (s segment, rest string, err error) {
	if text[0] == '[' {
		return parseBracket(text[1:])
	}
	if text[0] != '.' {
		return s, "", fmt.Errorf("a dot is missing before %q", text)
	}
	if text = text[1:]; text == "" {
		return s, "", errors.New("ends with a dot")
	}
	if text[0] == '"' {
		s.key, rest, err = quoted(text)
		return s, rest, err
	}
	end := strings.IndexAny(text, ".[")
	if end < 0 {
		end = len(text)
	}
	word := text[:end]
	if word == "*" {
		return segment{kind: every}, text[end:], nil
	}
	if err := bare(word); err != nil {
		return s, "", err
	}
	return segment{key: word}, text[end:], nil
}

// bare says what is wrong with a key without quotes.
func bare(word string) error {
	switch {
	case word == "":
		return errors.New("has two dots beside each other, or a dot before a bracket")
	case strings.ContainsAny(word, `*"[].=`) || strings.TrimSpace(word) != word:
		return fmt.Errorf("put the key %q in double quotes", word)
	}
	return nil
}

// parseBracket reads what follows an opening bracket: 3], *] or key=value].
func parseBracket(text string) (s segment, rest string, err error) {
	s.list = true
	var key string
	if strings.HasPrefix(text, `"`) {
		if key, rest, err = quoted(text); err != nil {
			return s, "", err
		}
	} else {
		end := strings.IndexAny(text, "]=")
		if end < 0 {
			return s, "", errors.New("a closing bracket is missing")
		}
		key, rest = text[:end], text[end:]
		if rest[0] == ']' {
			return plainBracket(key, rest[1:])
		}
		if err := bare(key); err != nil {
			return s, "", err
		}
	}
	if !strings.HasPrefix(rest, "=") {
		return s, "", fmt.Errorf("after [%q there should be =", key)
	}
	value := rest[1:]
	if strings.HasPrefix(value, `"`) {
		if value, rest, err = quoted(value); err != nil {
			return s, "", err
		}
		if !strings.HasPrefix(rest, "]") {
			return s, "", errors.New("a closing bracket is missing")
		}
		rest = rest[1:]
	} else {
		end := strings.IndexByte(value, ']')
		if end < 0 {
			return s, "", errors.New("a closing bracket is missing")
		}
		value, rest = value[:end], value[end+1:]
	}
	return segment{kind: where, key: key, is: literalOf(value), list: true}, rest, nil
}

func plainBracket(inside, rest string) (segment, string, error) {
	if inside == "*" {
		return segment{kind: every, list: true}, rest, nil
	}
	n, err := strconv.Atoi(inside)
	if err != nil || n < 0 || n > maxIndex || inside[0] == '+' {
		return segment{}, "", fmt.Errorf("[%s] is neither a number from 0 on, nor *, nor key=value", inside)
	}
	return segment{kind: byIndex, index: n, list: true}, rest, nil
}

// quoted takes a text in double quotes from the front; it is written as in JSON.
func quoted(text string) (word, rest string, err error) {
	for i := 1; i < len(text); i++ {
		switch text[i] {
		case '\\':
			i++
		case '"':
			if err := json.Unmarshal([]byte(text[:i+1]), &word); err != nil {
				return "", "", fmt.Errorf("%s is not a text as in JSON", text[:i+1])
			}
			return word, text[i+1:], nil
		}
	}
	return "", "", errors.New("a closing double quote is missing")
}

// literal is a value that people wrote, to be compared with values of payloads.
type literal struct {
	text  string
	num   float64
	isNum bool
}

func literalOf(text string) literal {
	var v scan.Value
	scan.ParseNumber([]byte(text), &v)
	return literal{text: text, num: v.Num, isNum: v.Kind == scan.Number}
}

// anyLiteral is literalOf for what YAML and JSON make of a scalar.
func anyLiteral(v any) (literal, error) {
	switch v := v.(type) {
	case string:
		return literalOf(v), nil
	case bool:
		return literal{text: strconv.FormatBool(v)}, nil
	case int:
		return literalOf(strconv.Itoa(v)), nil
	case int64:
		return literalOf(strconv.FormatInt(v, 10)), nil
	case uint64:
		return literalOf(strconv.FormatUint(v, 10)), nil
	case float64:
		return literalOf(strconv.FormatFloat(v, 'g', -1, 64)), nil
	}
	return literal{}, fmt.Errorf("%v is neither a text nor a number nor true or false", v)
}

// fits says whether the value is the literal. Numbers are compared as numbers, texts letter by letter.
func (l *literal) fits(v *scan.Value) bool {
	switch v.Kind {
	case scan.String, scan.Junk:
		return string(v.Text) == l.text
	case scan.Number:
		return l.isNum && v.Num == l.num
	case scan.True:
		return l.text == "true"
	case scan.False:
		return l.text == "false"
	}
	return false
}
