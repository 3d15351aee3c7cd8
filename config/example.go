package config

import _ "embed"

//go:embed example.yaml
var example string

// Example is a commented file with every setting. As it stands it changes nothing: each setting is behind a # and
// shows its default, or what it could be.
func Example() string { return example }
