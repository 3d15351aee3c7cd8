package config

import (
	"errors"
	"fmt"
	"strings"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"

	"chancery.example/fault"
)

// yamlFile reads a file for koanf. It walks the tree of the file instead of filling a map, so that every complaint
// can name its line; anchors, aliases, tags and merges are refused: a setting is found where it is written.
type yamlFile struct{ path string }

// Unmarshal reads the file's settings into nested maps.
func (f yamlFile) Unmarshal(raw []byte) (map[string]any, error) {
	if len(raw) > maxFile {
		return nil, fault.New(fault.TooLarge, "config.too-large", "A configuration has %d KiB at most.", maxFile>>10)
	}
	tree, err := parser.ParseBytes(raw, 0)
	if err != nil {
		return nil, f.syntax(err)
	}
	all := map[string]any{}
	var body ast.Node
	for _, d := range tree.Docs {
		if d.Body == nil || d.Body.Type() == ast.CommentType {
			continue
		}
		if body != nil {
			return nil, f.complain(d.Body, "a second document begins. Put everything into one.")
		}
		body = d.Body
	}
	if body != nil {
		if err := f.section("", body, all); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// Marshal is there for koanf's interface; files are written by people.
func (f yamlFile) Marshal(map[string]any) ([]byte, error) {
	return nil, errors.New("config: configuration files are not written")
}

// syntax is the fault of a file that is no YAML.
func (f yamlFile) syntax(err error) error {
	var at interface {
		GetToken() *token.Token
		GetMessage() string
	}
	if errors.As(err, &at) && at.GetToken() != nil && at.GetToken().Position != nil {
		return fault.Wrap(err, fault.Invalid, "config.syntax", "%s cannot be read as YAML at line %d: %s.", f.name(), at.GetToken().Position.Line, at.GetMessage())
	}
	return fault.Wrap(err, fault.Invalid, "config.syntax", "%s cannot be read as YAML.", f.name())
}

func (f yamlFile) name() string {
	if f.path == "" {
		return "The configuration"
	}
	return f.path
}

// complain is the fault of one place in the file.
func (f yamlFile) complain(n ast.Node, format string, args ...any) error {
	line := 0
	if t := n.GetToken(); t != nil && t.Position != nil {
		line = t.Position.Line
	}
	return fault.New(fault.Invalid, "config.file", "%s, line %d: %s", f.name(), line, fmt.Sprintf(format, args...))
}

// section reads the settings under a key; "" is the whole file.
func (f yamlFile) section(key string, n ast.Node, into map[string]any) error {
	var pairs []*ast.MappingValueNode
	switch n := n.(type) {
	case *ast.NullNode: // a section with nothing in it
		return nil
	case *ast.MappingNode:
		pairs = n.Values
	case *ast.MappingValueNode:
		pairs = []*ast.MappingValueNode{n}
	default:
		if key == "" {
			return f.complain(n, "settings are expected, like \"data: chancery-data\".")
		}
		return f.complain(n, "%s is a group of settings (%s), each on a line of its own below it.", key, members(key))
	}
	for _, p := range pairs {
		name, ok := p.Key.(*ast.StringNode)
		if !ok {
			return f.complain(p.Key, "this is no name of a setting. Known here: %s.", members(key))
		}
		full := name.Value
		if key != "" {
			full = key + "." + name.Value
		}
		if err := f.pair(key, full, name, p.Value, into); err != nil {
			return err
		}
	}
	return nil
}

// pair reads what stands under one key.
func (f yamlFile) pair(section, key string, name *ast.StringNode, n ast.Node, into map[string]any) error {
	if sections[key] {
		inner := map[string]any{}
		into[name.Value] = inner
		return f.section(key, n, inner)
	}
	s, ok := find(key)
	if !ok {
		if others := near(key); len(others) > 0 {
			return f.complain(name, "there is no setting %q. Did you mean %s?", key, `"`+strings.Join(others, `" or "`)+`"`)
		}
		return f.complain(name, "there is no setting %q. Known here: %s.", key, members(section))
	}
	if n.Type() == ast.NullType { // a key with nothing after it leaves the default
		return nil
	}
	if many, ok := n.(*ast.SequenceNode); ok && s.list() {
		var all []string
		for _, one := range many.Values {
			text, ok := scalar(one)
			if !ok {
				return f.complain(one, "%s is a list of plain values.", key)
			}
			all = append(all, text)
		}
		into[name.Value] = all
		return nil
	}
	text, ok := scalar(n)
	if !ok {
		return f.complain(n, "%s takes one plain value.", key)
	}
	v, why := s.read(text)
	if why != "" {
		return f.complain(n, "%s is %s", key, why)
	}
	into[name.Value] = v
	return nil
}

// scalar is the text of a plain value as it was written, so that a password of digits stays what it is.
func scalar(n ast.Node) (string, bool) {
	switch n := n.(type) {
	case *ast.StringNode:
		return n.Value, true
	case *ast.LiteralNode:
		return n.Value.Value, true
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode, *ast.InfinityNode, *ast.NanNode:
		return n.GetToken().Value, true
	}
	return "", false
}
