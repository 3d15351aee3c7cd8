package config

import (
	"encoding"
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"time"
)

// setting is one value that can be set: a leaf of Config.
type setting struct {
	key string // "smtp.host"
	typ reflect.Type
}

// settings and sections are what Config holds, in its order.
var settings, sections = walk("", reflect.TypeFor[Config]())

// walk lists the leaves and the branches of a struct by their koanf tags.
func walk(prefix string, t reflect.Type) (leaves []setting, branches map[string]bool) {
	branches = map[string]bool{}
	for f := range t.Fields() {
		key := prefix + f.Tag.Get("koanf")
		if f.Type.Kind() != reflect.Struct {
			leaves = append(leaves, setting{key, f.Type})
			continue
		}
		branches[key] = true
		inner, deeper := walk(key+".", f.Type)
		leaves = append(leaves, inner...)
		for b := range deeper {
			branches[b] = true
		}
	}
	return leaves, branches
}

// find returns a setting by its key.
func find(key string) (setting, bool) {
	for _, s := range settings {
		if s.key == key {
			return s, true
		}
	}
	return setting{}, false
}

// list reports whether the setting takes several values.
func (s setting) list() bool { return s.typ.Kind() == reflect.Slice }

// read makes the value out of its text. Where it cannot, why completes a sentence that begins with "… is"; it never
// repeats a secret.
func (s setting) read(text string) (value any, why string) {
	v := reflect.New(s.typ).Elem()
	if u, ok := v.Addr().Interface().(encoding.TextUnmarshaler); ok {
		if err := u.UnmarshalText([]byte(text)); err != nil {
			return nil, fmt.Sprintf("%q, which it cannot be. %s", text, s.shape())
		}
		return v.Interface(), ""
	}
	switch {
	case s.typ == reflect.TypeFor[time.Duration]():
		d, err := time.ParseDuration(text)
		if err != nil {
			return nil, fmt.Sprintf("%q, which is no length of time. %s", text, s.shape())
		}
		v.SetInt(int64(d))
	case s.typ.Kind() == reflect.String:
		v.SetString(text)
	case s.typ.Kind() == reflect.Bool:
		b, err := strconv.ParseBool(text)
		if err != nil {
			return nil, fmt.Sprintf("%q, which is neither true nor false.", text)
		}
		v.SetBool(b)
	case s.typ.Kind() == reflect.Int:
		n, err := strconv.Atoi(text)
		if err != nil {
			return nil, fmt.Sprintf("%q, which is no whole number.", text)
		}
		v.SetInt(int64(n))
	case s.list():
		var all []string
		for one := range strings.SplitSeq(text, ",") {
			if one = strings.TrimSpace(one); one != "" {
				all = append(all, one)
			}
		}
		v.Set(reflect.ValueOf(all))
	default: // a type that Config gained; the test of all settings finds it
		return nil, fmt.Sprintf("of the type %v, which cannot be read yet.", s.typ)
	}
	return v.Interface(), ""
}

// shape says how to write a value of the setting's type.
func (s setting) shape() string {
	if s.typ == reflect.TypeFor[time.Duration]() {
		return "Write it like 30s, 5m or 24h."
	}
	return "Use debug, info, warn or error."
}

// near are the known keys that one which is not known was probably meant to be; none when it looks like nothing.
func near(key string) []string {
	group, last := "", key
	if dot := strings.LastIndexByte(key, '.'); dot >= 0 {
		group, last = key[:dot+1], key[dot+1:]
	}
	if group == "" || sections[strings.TrimSuffix(group, ".")] { // the group is right: a slip in the last word?
		if best := closest(last, strings.Split(members(strings.TrimSuffix(group, ".")), ", ")); best != "" {
			return []string{group + best}
		}
	} else { // a slip in the group, perhaps in both
		var all []string
		for _, s := range settings {
			all = append(all, s.key)
		}
		if best := closest(key, all); best != "" {
			return []string{best}
		}
	}
	var elsewhere []string // the right word at the wrong place: password at the top instead of in smtp
	for _, s := range settings {
		if strings.HasSuffix(s.key, "."+last) {
			elsewhere = append(elsewhere, s.key)
		}
	}
	return elsewhere
}

// closest is the word that differs least from one that was written, and "" when none is so like it that a slip would explain it:
// two letters swapped, or one in four of a longer word.
func closest(written string, words []string) string {
	best, least := "", max(2, len(written)/4)
	if len(written) < 4 {
		least = 1
	}
	for _, w := range words {
		if d := distance(written, w); d <= least && (best == "" || d < distance(written, best)) {
			best = w
		}
	}
	return best
}

// members are the keys directly under a section ("" is the whole file), as a person writes them.
func members(section string) string {
	var names []string
	seen := map[string]bool{}
	for _, s := range settings {
		rest, ok := strings.CutPrefix(s.key, section)
		if section != "" {
			rest, ok = strings.CutPrefix(rest, ".")
		}
		name, _, _ := strings.Cut(rest, ".")
		if ok && !seen[name] {
			seen[name] = true
			names = append(names, name)
		}
	}
	return strings.Join(names, ", ")
}

// distance is how many letters must be changed, added or removed (Levenshtein).
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := diagonal
			if a[i] != b[j] {
				change++
			}
			diagonal = row[j+1]
			row[j+1] = min(change, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
