package portal

import (
	"encoding/csv"
	"encoding/json"
	"net/http"
	"net/url"
)

const (
	pageRows   = 50     // rows of one page of a table
	exportRows = 10_000 // rows of one export; more are fetched by the API
)

// listing is what every table page has in common: the filter, which stays in the address bar, and the way on.
type listing struct {
	Q, State string
	After    string
	More     string // where the next page is; empty on the last one
	CSV      string // where the same list is to be had as a file
	JSON     string
	Filtered bool
	Rows     int
}

// readListing reads the filter of a table page from its address.
func readListing(r *http.Request) listing {
	q := r.URL.Query()
	l := listing{Q: cut(q.Get("q"), 200), State: cut(q.Get("state"), 40), After: cut(q.Get("after"), 80)}
	l.Filtered = l.Q != "" || l.State != ""
	l.CSV, l.JSON = l.with(r, "format", "csv"), l.with(r, "format", "json")
	return l
}

// with is the address of this list with one thing changed.
func (l listing) with(r *http.Request, key, value string) string {
	q := url.Values{}
	for k, v := range map[string]string{"q": l.Q, "state": l.State} {
		if v != "" {
			q.Set(k, v)
		}
	}
	q.Set(key, value)
	return r.URL.Path + "?" + q.Encode()
}

func cut(s string, most int) string {
	if len(s) > most {
		return s[:most]
	}
	return s
}

// turn cuts a list that was read with one row too many to a page, and notes where the next one begins.
func turn[T any](l *listing, r *http.Request, rows []T, key func(T) string) []T {
	if len(rows) > pageRows {
		rows = rows[:pageRows]
		l.More = l.with(r, "after", key(rows[len(rows)-1]))
	}
	l.Rows = len(rows)
	return rows
}

// all reads a whole list page by page for an export, up to exportRows.
func all[T any](read func(after string, limit int) ([]T, error), key func(T) string) ([]T, error) {
	var out []T
	after := ""
	for len(out) < exportRows {
		rows, err := read(after, 500)
		if err != nil {
			return nil, err
		}
		out = append(out, rows...)
		if len(rows) < 500 {
			return out, nil
		}
		after = key(rows[len(rows)-1])
	}
	return out, nil
}

// export sends a list as a file. Names of columns are those of the API, in every language.
func export(w http.ResponseWriter, r *http.Request, name string, head []string, rows [][]string) error {
	h := w.Header()
	h.Set("Cache-Control", "no-store")
	if r.URL.Query().Get("format") == "json" {
		list := make([]map[string]string, len(rows))
		for i, row := range rows {
			list[i] = make(map[string]string, len(head))
			for j, k := range head {
				list[i][k] = row[j]
			}
		}
		h.Set("Content-Type", "application/json")
		h.Set("Content-Disposition", `attachment; filename="`+name+`.json"`)
		e := json.NewEncoder(w)
		e.SetIndent("", "  ")
		return e.Encode(list)
	}
	h.Set("Content-Type", "text/csv; charset=utf-8")
	h.Set("Content-Disposition", `attachment; filename="`+name+`.csv"`)
	c := csv.NewWriter(w)
	c.Write(head)
	for _, row := range rows {
		for i := range row {
			row[i] = inert(row[i])
		}
		c.Write(row)
	}
	c.Flush()
	return c.Error()
}

// inert keeps a spreadsheet from taking a cell for a formula.
func inert(cell string) string {
	if cell != "" && (cell[0] == '=' || cell[0] == '+' || cell[0] == '-' || cell[0] == '@' || cell[0] == '\t' || cell[0] == '\r') {
		return "'" + cell
	}
	return cell
}

// exporting reports whether a file is asked for instead of a page.
func exporting(r *http.Request) bool {
	f := r.URL.Query().Get("format")
	return f == "csv" || f == "json"
}

// List is the listing itself, for the templates that all tables share.
func (l listing) List() listing { return l }
