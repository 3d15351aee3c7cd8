package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"text/tabwriter"
	"time"

	"chancery.example/fault"
)

// client speaks to a running house through the socket in its data directory. Administration never goes by the database.
type client struct {
	http *http.Client
	data string
}

// maxAnswer bounds what is read of one answer, in octets; the audit export is streamed and not bound by it.
const maxAnswer = 64 << 20

// dial makes a client for the house of the flags.
func (f *houseFlags) dial(c *Console) (*client, error) {
	set, err := f.load(c)
	if err != nil {
		return nil, err
	}
	path := filepath.Join(set.Data, "chancery.sock")
	t := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "unix", path)
	}}
	return &client{http: &http.Client{Transport: t}, data: set.Data}, nil
}

// open makes a call and gives its answer's body.
func (k *client) open(ctx context.Context, method, path string, query url.Values, in any) (io.ReadCloser, error) {
	var body io.Reader
	if in != nil {
		raw, err := json.Marshal(in)
		if err != nil {
			return nil, err
		}
		body = bytes.NewReader(raw)
	}
	u := url.URL{Scheme: "http", Host: "house", Path: path, RawQuery: query.Encode()}
	r, err := http.NewRequestWithContext(ctx, method, u.String(), body)
	if err != nil {
		return nil, err
	}
	r.Header.Set("Content-Type", "application/json")
	a, err := k.http.Do(r)
	if err != nil {
		return nil, fault.Wrap(err, fault.Unavailable, "client.not-running", "No house is running on %s. Start it with: chancery serve --data %s", k.data, k.data)
	}
	if a.StatusCode < 300 {
		return a.Body, nil
	}
	defer a.Body.Close()
	var p struct {
		Detail, Code string
		Errors       []struct{ Where, Text string } // api.Place
	}
	if err := json.NewDecoder(io.LimitReader(a.Body, 1<<20)).Decode(&p); err != nil || p.Detail == "" {
		p.Detail = "The house answered: " + a.Status
	}
	for _, e := range p.Errors {
		p.Detail = strings.TrimSuffix(p.Detail, ".") + fmt.Sprintf("; %s: %s", strings.TrimPrefix(e.Where, "body."), e.Text)
	}
	return nil, fault.New(fault.Refused, p.Code, "%s", p.Detail)
}

// call makes a call and reads its answer into out; out may be nil.
func (k *client) call(ctx context.Context, method, path string, query url.Values, in, out any) error {
	body, err := k.open(ctx, method, path, query, in)
	if err != nil {
		return err
	}
	defer body.Close()
	if out == nil {
		return nil
	}
	if err := json.NewDecoder(io.LimitReader(body, maxAnswer)).Decode(out); err != nil {
		return fault.Wrap(err, fault.Unavailable, "client.answer", "The house's answer cannot be read: %v", err)
	}
	return nil
}

// jsonFlag is on every command that reads.
type jsonFlag struct {
	JSON bool `name:"json" help:"Print JSON."`
}

// show prints v as JSON, or by table.
func (j jsonFlag) show(c *Console, v any, table func(w io.Writer)) error {
	if j.JSON {
		e := json.NewEncoder(c.Stdout)
		e.SetIndent("", "  ")
		return e.Encode(v)
	}
	w := tabwriter.NewWriter(c.Stdout, 0, 4, 2, ' ', 0)
	table(w)
	return w.Flush()
}

// limitFlag is on every command that lists.
type limitFlag struct {
	Limit int `default:"50" help:"At most so many (1 to 500)."`
}

// Validate holds the limit against what the API gives at once.
func (l limitFlag) Validate() error {
	if l.Limit < 1 || l.Limit > 500 {
		return badUsage("--limit is %d; it goes from 1 to 500", l.Limit)
	}
	return nil
}

// day is an instant for a table.
func day(t time.Time) string { return t.UTC().Format("2006-01-02 15:04Z") }
