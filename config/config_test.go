package config

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"chancery.example/fault"
)

// load writes a file and loads it.
func load(t *testing.T, text string, environ ...string) (Config, error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "chancery.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return Load(path, environ)
}

func TestNoConfigurationWorks(t *testing.T) {
	c, err := Load("", nil)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(Default(), c); d != "" {
		t.Error(d)
	}
	for name, text := range map[string]string{"an empty file": "", "only comments": "# nothing\n", "empty groups": "portal:\nsmtp:\n", "an empty value": "data:\n"} {
		if c, err := load(t, text); err != nil || cmp.Diff(Default(), c) != "" {
			t.Errorf("%s: %v %s", name, err, cmp.Diff(Default(), c))
		}
	}
}

func TestTheExampleIsLoadable(t *testing.T) {
	c, err := load(t, Example())
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(Default(), c); d != "" {
		t.Errorf("the example changes something as it stands: %s", d)
	}
	// With the # before each setting taken away it says every setting there is, and shows the true defaults.
	all := regexp.MustCompile(`(?m)^( *)#([a-z_]+: )`).ReplaceAllString(Example(), "$1$2")
	c, err = assemble("", []byte(all), nil)
	if err != nil {
		t.Fatal(err)
	}
	if c.SMTP.Password.Reveal() != "a-secret" || c.Portal.TrustedProxies[1] != "192.168.0.0/16" {
		t.Errorf("%+v", c)
	}
	d := Default()
	if c.Data != d.Data || c.Portal.Listen != d.Portal.Listen || c.Public.Listen != d.Public.Listen || c.Database.Driver != d.Database.Driver ||
		c.SMTP.Security != d.SMTP.Security || c.SMTP.Timeout != d.SMTP.Timeout || c.Log != d.Log {
		t.Error("the example shows other defaults than there are")
	}
	for _, s := range settings {
		lone := s.key[strings.LastIndexByte(s.key, '.')+1:]
		if !strings.Contains(all, " "+lone+": ") && !strings.Contains(all, "\n"+lone+": ") {
			t.Errorf("the example does not show %s", s.key)
		}
	}
}

func TestEverythingCanBeSetInTheFileAndInTheEnvironment(t *testing.T) {
	samples := map[string]string{"log.level": "warn", "smtp.port": "2525", "smtp.timeout": "45s", "portal.trusted_proxies": "10.0.0.1,10.0.0.2"}
	names := map[string]bool{}
	for _, s := range settings {
		t.Run(s.key, func(t *testing.T) {
			if names[s.variable()] || s.variable() == PassphraseVariable {
				t.Fatalf("two settings are called %s in the environment", s.variable())
			}
			names[s.variable()] = true
			value := samples[s.key]
			if value == "" {
				value = "sample"
			}
			byVariable, err := assemble("", nil, []string{s.variable() + "=" + value, "OTHER=x"})
			if err != nil {
				t.Fatal(err)
			}
			indent, text := "", ""
			for _, part := range strings.Split(s.key, ".") {
				text += indent + part + ":\n"
				indent += "  "
			}
			byFile, err := assemble("", []byte(strings.TrimSuffix(text, "\n")+" "+value+"\n"), nil)
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(byVariable, byFile); d != "" {
				t.Error(d)
			}
			if cmp.Equal(byFile, Default()) {
				t.Error("setting it changes nothing")
			}
			over, err := assemble("", []byte(strings.TrimSuffix(text, "\n")+" "+map[bool]string{true: value, false: "other"}[samples[s.key] != ""]+"\n"), []string{s.variable() + "=" + value})
			if err != nil || !cmp.Equal(over, byVariable) {
				t.Errorf("the environment does not win: %v %s", err, cmp.Diff(over, byVariable))
			}
		})
	}
}

func TestValuesAreReadAsWritten(t *testing.T) {
	c, err := load(t, `
portal:
  listen: "127.0.0.1:0"
  trusted_proxies:
    - 10.0.0.1
    - 10.1.0.0/16
smtp:
  host: mail.example.com
  username: 007
  password: 0123456789
  timeout: 1m30s
mail: {from: pki@example.com, name: "Example: PKI"}
log:
  level: DEBUG
`, "CHANCERY_LOG_FORMAT=json")
	if err != nil {
		t.Fatal(err)
	}
	want := Default()
	want.Portal.Listen, want.Portal.TrustedProxies = "127.0.0.1:0", []string{"10.0.0.1", "10.1.0.0/16"}
	want.SMTP.Host, want.SMTP.Username, want.SMTP.Password, want.SMTP.Timeout = "mail.example.com", "007", "0123456789", 90*time.Second
	want.Mail = Mail{From: "pki@example.com", Name: "Example: PKI"}
	want.Log = Log{Level: slog.LevelDebug, Format: LogJSON}
	if d := cmp.Diff(want, c); d != "" {
		t.Error(d)
	}
}

func TestWhatIsRefusedAndWhatIsSaid(t *testing.T) {
	cases := map[string]struct {
		file    string
		environ string
		say     string // part of the sentence
	}{
		"an unknown key":                    {"data: x\nportal:\n  lisen: 1\n", "", `line 3: there is no setting "portal.lisen". Did you mean "portal.listen"?`},
		"an unknown group":                  {"\n\nportall:\n  listen: x\n", "", `line 3: there is no setting "portall". Did you mean "portal"?`},
		"the right word at the wrong place": {"password_file: x\n", "", `Did you mean "smtp.password_file"?`},
		"another word for nothing we have":  {"portal:\n  adress: x\n", "", `line 2: there is no setting "portal.adress". Known here: listen, url, trusted_proxies.`},
		"two letters swapped":               {"smtp:\n  hots: x\n", "", `Did you mean "smtp.host"?`},
		"a slip in the group":               {"smtp: {host: a}\nmial:\n  from: x\n", "", `Did you mean "mail"?`},
		"a word that stands in two groups":  {"listen: x\n", "", `Did you mean "portal.listen" or "public.listen" or "metrics.listen"?`},
		"a setting of another group":        {"smtp:\n  from: x\n", "", `Did you mean "mail.from"?`},
		"a key like no other":               {"smtp:\n  colour: x\n", "", `line 2: there is no setting "smtp.colour". Known here: host, port, security`},
		"a key twice":                       {"data: a\ndata: b\n", "", "line 2"},
		"a value where a group is":          {"smtp: mail.example.com\n", "", "line 1: smtp is a group of settings (host, port"},
		"a group where a value is":          {"data:\n  dir: x\n", "", "line 2: data takes one plain value"},
		"a list where a value is":           {"data: [a, b]\n", "", "line 1: data takes one plain value"},
		"a group in a list":                 {"portal:\n  trusted_proxies: [{a: b}]\n", "", "is a list of plain values"},
		"no number":                         {"smtp:\n  port: many\n", "", `line 2: smtp.port is "many", which is no whole number.`},
		"no duration":                       {"smtp:\n  timeout: 30\n", "", `line 2: smtp.timeout is "30", which is no length of time. Write it like 30s`},
		"no level":                          {"log:\n  level: loud\n", "", `log.level is "loud", which it cannot be. Use debug, info, warn or error.`},
		"no YAML":                           {"data: [\n", "", "cannot be read as YAML"},
		"a list":                            {"- data\n", "", "settings are expected"},
		"two documents":                     {"data: a\n---\ndata: b\n", "", "second document"},
		"an alias":                          {"data: &a x\nmail:\n  name: *a\n", "", "takes one plain value"},
		"a slip in the environment":         {"", "CHANCERY_SMTP_HOTS=x", "Did you mean CHANCERY_SMTP_HOST?"},
		"a bad value in the environment":    {"", "CHANCERY_SMTP_PORT=x", "CHANCERY_SMTP_PORT is"},
		"nothing to listen on":              {"portal:\n  listen: example\n", "", "portal.listen is \"example\". Write it as"},
		"a port that is none":               {"public:\n  listen: 127.0.0.1:99999\n", "", "public.listen is"},
		"two doors at one address":          {"public:\n  listen: 127.0.0.1:8440\n", "", "portal.listen and public.listen are both"},
		"a proxy that is no address":        {"portal:\n  trusted_proxies: nginx\n", "", "neither an address nor a network"},
		"the network without TLS":           {"portal:\n  listen: :8440\n", "", "there is no TLS"},
		"a URL without TLS":                 {"portal:\n  url: http://pki.example.com\n", "", "browsers offer no passkeys"},
		"a URL without TLS on the network":  {"portal:\n  listen: 0.0.0.0:8440\n  url: http://localhost:8440\n", "", "Listen on 127.0.0.1"},
		"a URL with a path":                 {"portal:\n  url: https://example.com/pki\n", "", "without a path"},
		"http with TLS":                     {"portal:\n  url: http://localhost\ntls: {cert: a, key: b}\n", "", "Write https://"},
		"half of TLS":                       {"tls: {cert: a}\n", "", "tls needs both"},
		"TLS in two ways":                   {"tls: {cert: a, key: b, acme: {email: admin@example.com}}\n", "", "Choose one"},
		"ACME without a name":               {"tls: {acme: {email: admin@example.com}}\n", "", "tls.acme needs portal.url"},
		"ACME for an address":               {"portal: {url: 'https://192.0.2.1'}\ntls: {acme: {email: admin@example.com}}\n", "", "tls.acme needs portal.url"},
		"ACME without a directory":          {"portal: {url: 'https://pki.example.com'}\ntls: {acme: {directory: here}}\n", "", "tls.acme.directory"},
		"a database of another kind":        {"database: {driver: oracle}\n", "", "Choose sqlite or postgres"},
		"PostgreSQL nowhere":                {"database: {driver: postgres}\n", "", "database.dsn must say where"},
		"SQLite somewhere":                  {"database: {dsn: 'postgres://x'}\n", "", "database.dsn is for PostgreSQL"},
		"a mail server without a name":      {"smtp: {username: a, password: b}\n", "", "no smtp.host"},
		"a mail server with its port":       {"smtp: {host: 'mail.example.com:25'}\n", "", "the port is smtp.port"},
		"a mail server in clear":            {"smtp: {host: mail.example.com, security: none}\n", "", "not this machine"},
		"a mail server secured somehow":     {"smtp: {host: mail.example.com, security: ssl}\n", "", "Choose starttls, tls or none"},
		"two passwords":                     {"smtp: {host: a, username: a, password: b, password_file: c}\nmail: {from: a@example.com}", "", "Keep one"},
		"a name without a password":         {"smtp: {host: a, username: a}\n", "", "belong together"},
		"mails from nobody":                 {"smtp: {host: mail.example.com}\n", "", "mail.from must say"},
		"mails from somebody with a name":   {"mail: {from: 'PKI <pki@example.com>'}\n", "", "Write the address alone"},
		"a log in another form":             {"log: {format: xml}\n", "", "Choose text or json"},
		"a house nowhere":                   {"data: ' '\n", "", "data must name the folder"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			_, err := load(t, c.file, c.environ)
			if err == nil {
				t.Fatal("accepted")
			}
			say := fault.Sentence(err)
			if !strings.Contains(say, c.say) || !fault.Is(err, fault.Invalid) && !fault.Is(err, fault.Refused) {
				t.Errorf("%v: %s", fault.KindOf(err), say)
			}
			if !strings.HasSuffix(say, ".") && !strings.HasSuffix(say, "?") && !strings.HasSuffix(say, ")") {
				t.Errorf("not a sentence: %s", say)
			}
		})
	}
}

func TestWhatIsAllowed(t *testing.T) {
	for name, file := range map[string]string{
		"behind a proxy that speaks TLS": "portal: {listen: ':8440', url: 'https://pki.example.com', trusted_proxies: 10.0.0.1}\n",
		"TLS by files":                   "portal: {listen: ':443'}\ntls: {cert: a, key: b}\n",
		"TLS by ACME":                    "portal: {listen: ':443', url: 'https://pki.example.com/'}\ntls: {acme: {email: admin@example.com}}\n",
		"IPv6":                           "portal: {listen: '[::1]:8440'}\npublic: {listen: '[::]:80'}\n",
		"ports chosen by the kernel":     "portal: {listen: '127.0.0.1:0'}\npublic: {listen: '127.0.0.1:0'}\n",
		"a mail server on this machine":  "smtp: {host: 127.0.0.1, security: none, port: 25}\nmail: {from: pki@example.com}\n",
		"PostgreSQL":                     "database: {driver: postgres, dsn: 'postgres://chancery@localhost/chancery'}\n",
		"Kubernetes' own variables":      "",
	} {
		if _, err := load(t, file, "CHANCERY_PORT_8440_TCP=tcp://10.0.0.1:8440", "CHANCERY_SERVICE_HOST=10.0.0.1", PassphraseVariable+"=x"); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestFilesThatCannotBeRead(t *testing.T) {
	dir := t.TempDir()
	large := filepath.Join(dir, "large")
	if err := os.WriteFile(large, make([]byte, maxFile+1), 0o600); err != nil {
		t.Fatal(err)
	}
	for path, kind := range map[string]fault.Kind{filepath.Join(dir, "none"): fault.Invalid, dir: fault.Invalid, large: fault.TooLarge} {
		if _, err := Load(path, nil); !fault.Is(err, kind) {
			t.Errorf("%s: %v", path, err)
		}
	}
}

func TestSecretsDoNotShow(t *testing.T) {
	c, err := load(t, "smtp: {host: a, username: u, password: hunter2}\nmail: {from: a@example.com}\n")
	if err != nil {
		t.Fatal(err)
	}
	var log strings.Builder
	slog.New(slog.NewJSONHandler(&log, nil)).Info("configuration", "smtp", c.SMTP, "password", c.SMTP.Password)
	marshalled, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	shown := fmt.Sprintf("%v %+v %#v %s %q", c, c, c, c.SMTP.Password, c.SMTP.Password) + log.String() + string(marshalled)
	if strings.Contains(shown, "hunter2") || !strings.Contains(shown, "[secret]") {
		t.Error(shown)
	}
	if c.SMTP.Password.Reveal() != "hunter2" {
		t.Error("the password is lost")
	}
}

func FuzzLoad(f *testing.F) {
	f.Add([]byte(Example()))
	f.Add([]byte("smtp: {host: a, password: 'x'}\nportal:\n  trusted_proxies: [a, 1, 2.5]\n"))
	f.Add([]byte("&a ? [*a] : !!str {<<: *a}\n---\n..."))
	f.Fuzz(func(t *testing.T, raw []byte) {
		c, err := assemble("fuzz.yaml", raw, nil)
		if err != nil {
			if fault.CodeOf(err) == "internal" {
				t.Errorf("an error without a sentence: %v", err)
			}
			return
		}
		c.Check()
	})
}
