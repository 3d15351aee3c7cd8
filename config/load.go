package config

import (
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"strings"
	"time"

	"github.com/knadh/koanf/providers/env/v2"
	"github.com/knadh/koanf/providers/rawbytes"
	"github.com/knadh/koanf/providers/structs"
	"github.com/knadh/koanf/v2"

	"chancery.example/fault"
)

// Prefix begins the name of every variable of the environment that sets something.
const Prefix = "CHANCERY_"

// maxFile bounds a configuration file, in octets.
const maxFile = 64 << 10

// Default is what holds where nothing is set: a house for this machine alone.
func Default() Config {
	return Config{
		Data:     "chancery-data",
		Portal:   Portal{Listen: "127.0.0.1:8440"},
		Public:   Public{Listen: "127.0.0.1:8441"},
		Database: Database{Driver: SQLite},
		SMTP:     SMTP{Security: SecurityStartTLS, Timeout: 30 * time.Second},
		Log:      Log{Level: slog.LevelInfo, Format: LogText},
	}
}

// Load reads the file at path (none when it is empty), lets environ override it (as os.Environ gives it), and checks
// the whole. Every error is a fault.Invalid or fault.Refused whose sentence names the setting, and the line where there is one.
func Load(path string, environ []string) (Config, error) {
	var raw []byte
	if path != "" {
		var err error
		if raw, err = read(path); err != nil {
			return Config{}, err
		}
	}
	c, err := assemble(path, raw, environ)
	if err != nil {
		return Config{}, err
	}
	return c, c.Check()
}

func read(path string) ([]byte, error) {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, fault.Wrap(err, fault.Invalid, "config.missing", "There is no configuration file %s. Without --config the house starts with its defaults.", path)
	case err == nil && info.Size() > maxFile:
		return nil, fault.New(fault.TooLarge, "config.too-large", "The configuration file %s is larger than %d KiB. Is it the right one?", path, maxFile>>10)
	}
	raw, err := os.ReadFile(path)
	if err != nil {
		return nil, fault.Wrap(err, fault.Invalid, "config.unreadable", "The configuration file %s cannot be read: %v", path, err)
	}
	return raw, nil
}

// assemble lays the three over each other: defaults, file, environment.
func assemble(path string, raw []byte, environ []string) (Config, error) {
	k := koanf.New(".")
	if err := k.Load(structs.Provider(Default(), "koanf"), nil); err != nil {
		return Config{}, err
	}
	if err := k.Load(rawbytes.Provider(raw), yamlFile{path}); err != nil {
		return Config{}, err
	}
	var wrong []error
	err := k.Load(env.Provider(".", env.Opt{
		Prefix:      Prefix,
		EnvironFunc: func() []string { return environ },
		TransformFunc: func(name, value string) (string, any) {
			key, v, err := variable(name, value)
			wrong = append(wrong, err)
			return key, v
		},
	}), nil)
	if err := errors.Join(append(wrong, err)...); err != nil {
		return Config{}, first(wrong, err)
	}
	var c Config
	if err := k.Unmarshal("", &c); err != nil {
		return Config{}, fault.Wrap(err, fault.Invalid, "config.value", "The configuration cannot be used: %v", err)
	}
	return c, nil
}

// first is the first error that there is; a person mends one thing after the other.
func first(many []error, last error) error {
	for _, err := range many {
		if err != nil {
			return err
		}
	}
	return last
}

// variable reads one variable of the environment. A name that is nobody's is passed over, because others set variables
// with our prefix too (Kubernetes does, for a service that is called chancery); but one that is almost a setting's is
// refused, since it would else be lost in silence.
func variable(name, value string) (key string, v any, err error) {
	var nearest string
	for _, s := range settings {
		switch d := distance(name, s.variable()); {
		case d == 0:
			v, why := s.read(value)
			if why != "" {
				return "", nil, fault.New(fault.Invalid, "config.value", "The environment variable %s is %s", name, why)
			}
			return s.key, v, nil
		case d <= 2:
			nearest = s.variable()
		}
	}
	if nearest != "" {
		return "", nil, fault.New(fault.Invalid, "config.unknown", "There is no setting for the environment variable %s. Did you mean %s?", name, nearest)
	}
	return "", nil, nil
}

// PassphraseVariable names the variable of the environment that may hold the passphrase of the CA keys itself.
const PassphraseVariable = Prefix + "CA_PASSPHRASE"

// variable is the setting's name in the environment: smtp.host is CHANCERY_SMTP_HOST.
func (s setting) variable() string {
	return Prefix + strings.ToUpper(strings.ReplaceAll(s.key, ".", "_"))
}
