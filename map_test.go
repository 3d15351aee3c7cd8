package main

import (
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "chancery.example"

// row is one line of the table in docs/map.md.
type row struct {
	pkg, question string
	may           []string
	line          int
}

var tableRow = regexp.MustCompile("^\\| `([a-z0-9/]+)` \\| (.*?) \\| (.*?) ?\\|$")

// groups are the names that the table uses for several packages at once.
var groups = map[string][]string{
	"ground": {"approval", "notify", "audit", "jobs", "rules", "config"},
	"craft":  {"smime", "cms", "trust", "trust/ocsp", "pkcs12", "mailbox", "fault"},
	"ra":     {"ra/workflow", "ra/order", "ra/validation", "ra/agreement"},
	"ca":     {"ca/ceremony", "ca/status", "ca/issuance", "ca/lint", "ca/profile", "ca/keystore"},
	"keys":   {"keys/delivery"},
}

func readMap(t *testing.T) []row {
	t.Helper()
	raw, err := os.ReadFile("docs/map.md")
	if err != nil {
		t.Fatal(err)
	}
	var rows []row
	for i, line := range strings.Split(string(raw), "\n") {
		m := tableRow.FindStringSubmatch(line)
		if m == nil {
			continue
		}
		r := row{pkg: m[1], question: m[2], line: i + 1}
		for _, name := range strings.Split(m[3], ",") {
			if name = strings.TrimSpace(name); name == "" {
				continue
			}
			if g, ok := groups[name]; ok {
				r.may = append(r.may, g...)
			} else {
				r.may = append(r.may, name)
			}
		}
		rows = append(rows, r)
	}
	if len(rows) < 20 {
		t.Fatalf("docs/map.md has only %d rows that can be read", len(rows))
	}
	return rows
}

// imports lists the packages of this module and what their code, tests left out, imports; folders without Go
// code outside tests are no packages of the map.
func imports(t *testing.T) (map[string][]string, map[string]string) {
	t.Helper()
	found, docs := map[string][]string{}, map[string]string{}
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if n := d.Name(); path != "." && (strings.HasPrefix(n, ".") || n == "testdata" || n == "node_modules" || path == "keep" || path == "internal") {
				return filepath.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return nil
		}
		f, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ImportsOnly|parser.ParseComments)
		if err != nil {
			return err
		}
		pkg := filepath.ToSlash(filepath.Dir(path))
		if pkg == "." {
			pkg = "main"
		}
		if f.Doc != nil {
			docs[pkg] += strings.Join(strings.Fields(f.Doc.Text()), " ")
		}
		for _, i := range f.Imports {
			name, _ := strconv.Unquote(i.Path.Value)
			found[pkg] = append(found[pkg], name)
		}
		if _, ok := found[pkg]; !ok {
			found[pkg] = nil
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return found, docs
}

func TestMapNamesEveryPackageAndItsQuestion(t *testing.T) {
	rows := readMap(t)
	found, docs := imports(t)
	for pkg := range found {
		if !slices.ContainsFunc(rows, func(r row) bool { return r.pkg == pkg }) {
			t.Errorf("package %s is not in docs/map.md: give it a row with the one question it answers", pkg)
		}
	}
	for _, r := range rows {
		if _, ok := found[r.pkg]; !ok {
			t.Errorf("docs/map.md:%d names %s, which has no code: a package is born with its first real use", r.line, r.pkg)
			continue
		}
		question := strings.ToLower(plain(strings.SplitN(r.question, "?", 2)[0]))
		if !strings.Contains(strings.ToLower(plain(docs[r.pkg])), question) {
			t.Errorf("the comment of package %s does not ask its question %q", r.pkg, r.question)
		}
	}
}

// plain drops the marks that differ between a table cell and a comment.
func plain(s string) string { return strings.NewReplacer("`", "", "*", "").Replace(s) }

func TestImportsFollowTheMap(t *testing.T) {
	rows := readMap(t)
	found, _ := imports(t)
	for i, r := range rows {
		for _, name := range found[r.pkg] {
			checkForeign(t, r.pkg, name)
			used, ours := strings.CutPrefix(name, module+"/")
			if !ours || r.pkg == "app" {
				continue
			}
			if !slices.Contains(r.may, used) && !strings.HasPrefix(used, "internal/") {
				t.Errorf("%s imports %s, which its row in docs/map.md does not allow: is it the right place for this code?", r.pkg, used)
			}
			below := slices.IndexFunc(rows[i+1:], func(o row) bool { return o.pkg == used })
			if r.pkg != "store" && r.pkg != "testca" && below < 0 && !strings.HasPrefix(used, "internal/") {
				t.Errorf("%s imports %s, which stands above it: arrows go down only", r.pkg, used)
			}
		}
	}
}

// checkForeign holds the three rules that no row can say.
func checkForeign(t *testing.T, pkg, name string) {
	t.Helper()
	craft := slices.Contains(groups["craft"], pkg)
	switch {
	case (strings.HasPrefix(name, "database/sql") || strings.Contains(name, "uptrace/bun") || strings.Contains(name, "jackc/pgx")) && pkg != "store":
		t.Errorf("%s imports %s: only store knows SQL", pkg, name)
	case name == "net/http" && craft:
		t.Errorf("%s imports %s: the mail craft has no network but what is handed in", pkg, name)
	case name == "chancery.example/store" && pkg != "app":
		t.Errorf("%s imports store: only app and tests do", pkg)
	case name == "net/http" && !strings.HasPrefix(pkg, "server/") && pkg != "app" && pkg != "cli":
		t.Errorf("%s imports %s: only server/* knows HTTP", pkg, name)
	}
}
