package cli

import (
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strconv"

	"chancery.example/audit"
	"chancery.example/fault"
)

type auditCmd struct {
	Verify auditVerifyCmd `cmd:"" help:"Prove the chain of the audit log, or name the first broken entry."`
	List   auditListCmd   `cmd:"" help:"Search the audit log, newest first."`
	Export auditExportCmd `cmd:"" help:"Print the whole log as JSON lines, oldest first."`
}

type auditVerifyCmd struct {
	houseFlags
	jsonFlag
	File string `arg:"" optional:"" help:"An exported log; without it, the log of the running house."`
}

// Help is shown by chancery audit verify --help.
func (*auditVerifyCmd) Help() string {
	return `The chain is proved here, by this program, from what the house exports: the house is not asked for its opinion. Exit
status: 0 the chain holds, 3 it is broken, 1 it could not be read.`
}

func (v *auditVerifyCmd) Run(c *Console) error {
	in, err := v.open(c)
	if err != nil {
		return err
	}
	defer in.Close()
	head, entries, err := audit.Import(in)
	if err != nil {
		return v.unreadable(err)
	}
	proof, err := audit.Verify(entries, head)
	if err != nil {
		return v.unreadable(err)
	}
	out := struct {
		Holds   bool   `json:"holds"`
		Entries int64  `json:"entries"`
		Head    string `json:"head"`
		Broken  int64  `json:"first_broken,omitempty"`
		Why     string `json:"why,omitempty"`
	}{Holds: proof.Broken == nil, Entries: proof.Entries, Head: proof.Head.Hash.String()}
	if proof.Broken != nil {
		out.Broken, out.Why = proof.Broken.Seq, proof.Broken.Why
	}
	if err := v.show(c, out, func(w io.Writer) {
		if out.Holds {
			fmt.Fprintf(w, "The chain holds: %d entries, the last with hash %s.\n", out.Entries, out.Head)
			return
		}
		fmt.Fprintf(w, "The chain is BROKEN at entry %d: %s. The %d entries before it hold.\n", out.Broken, out.Why, out.Entries)
	}); err != nil || out.Holds {
		return err
	}
	return withStatus(StatusInvalid)
}

// unreadable says whose log it is that cannot be read, and why.
func (v *auditVerifyCmd) unreadable(err error) error {
	return fault.Wrap(err, fault.Invalid, "audit.import", "%s: %v", or(v.File, "The log of the house cannot be read"), err)
}

// open gives the exported log.
func (v *auditVerifyCmd) open(c *Console) (io.ReadCloser, error) {
	if v.File == "" {
		k, err := v.dial(c)
		if err != nil {
			return nil, err
		}
		return k.open(c.Ctx, http.MethodGet, "/api/v1/audit/export", nil, nil)
	}
	f, err := os.Open(v.File)
	if err != nil {
		return nil, fault.Wrap(err, fault.Invalid, "audit.file", "The file %s cannot be read: %v", v.File, err)
	}
	return f, nil
}

type auditListCmd struct {
	houseFlags
	jsonFlag
	limitFlag
	Text    string `arg:"" optional:"" help:"Part of the action, the actor or the subject."`
	Subject string `help:"Exactly this subject: order/ord_…, certificate/…"`
}

func (l *auditListCmd) Run(c *Console) error {
	k, err := l.dial(c)
	if err != nil {
		return err
	}
	var list struct{ Entries []audit.Entry }
	q := url.Values{"text": {l.Text}, "subject": {l.Subject}, "limit": {strconv.Itoa(l.Limit)}}
	if err := k.call(c.Ctx, http.MethodGet, "/api/v1/audit", q, nil, &list); err != nil {
		return err
	}
	return l.show(c, list.Entries, func(w io.Writer) {
		if len(list.Entries) == 0 {
			fmt.Fprintln(w, "No entries.")
			return
		}
		fmt.Fprintln(w, "ENTRY\tAT\tACTOR\tACTION\tSUBJECT\tDETAIL")
		for _, e := range list.Entries {
			fmt.Fprintf(w, "%d\t%s\t%s\t%s\t%s\t%s\n", e.Seq, day(e.At), e.Actor, e.Action, e.Subject, detail(e.Detail))
		}
	})
}

// detail is an entry's detail on one line, in order.
func detail(m map[string]string) string {
	keys := make([]string, 0, len(m))
	for k, v := range m {
		if v != "" {
			keys = append(keys, k)
		}
	}
	slices.Sort(keys)
	out := ""
	for _, k := range keys {
		out += k + "=" + strconv.Quote(m[k]) + " "
	}
	return out
}

type auditExportCmd struct{ houseFlags }

func (e *auditExportCmd) Run(c *Console) error {
	k, err := e.dial(c)
	if err != nil {
		return err
	}
	body, err := k.open(c.Ctx, http.MethodGet, "/api/v1/audit/export", nil, nil)
	if err != nil {
		return err
	}
	defer body.Close()
	_, err = io.Copy(c.Stdout, body)
	return err
}
