package cli

import (
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"

	"chancery.example/server/api"
)

type certCmd struct {
	List   certListCmd   `cmd:"" help:"Search certificates, newest first."`
	Show   certShowCmd   `cmd:"" help:"See a certificate."`
	Revoke certRevokeCmd `cmd:"" help:"Revoke a certificate, for good."`
}

type certListCmd struct {
	houseFlags
	jsonFlag
	limitFlag
	Text  string `arg:"" optional:"" help:"Part of the address, or the serial number or fingerprint in hex."`
	House bool   `help:"The house's own certificates instead of subscribers'."`
}

func (l *certListCmd) Run(c *Console) error {
	k, err := l.dial(c)
	if err != nil {
		return err
	}
	var list struct{ Certificates []api.Certificate }
	q := url.Values{"text": {l.Text}, "house": {strconv.FormatBool(l.House)}, "limit": {strconv.Itoa(l.Limit)}}
	if err := k.call(c.Ctx, http.MethodGet, "/api/v1/certificates", q, nil, &list); err != nil {
		return err
	}
	return l.show(c, list.Certificates, func(w io.Writer) {
		if len(list.Certificates) == 0 {
			fmt.Fprintln(w, "No certificates"+matching(l.Text)+".")
			return
		}
		fmt.Fprintln(w, "SERIAL\tSTATUS\tMAILBOX\tPROFILE\tENDS")
		for _, one := range list.Certificates {
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", one.Serial, one.Status, one.Mailbox, one.Profile, day(one.NotAfter))
		}
	})
}

// oneCert is what the commands about one certificate take.
type oneCert struct {
	houseFlags
	jsonFlag
	Serial string `arg:"" help:"The serial number in hex."`
}

func (o *oneCert) path(rest string) string {
	return "/api/v1/certificates/" + url.PathEscape(o.Serial) + rest
}

type certShowCmd struct{ oneCert }

func (s *certShowCmd) Run(c *Console) error {
	return s.tell(c, http.MethodGet, "", nil)
}

type certRevokeCmd struct {
	oneCert
	Reason string `required:"" enum:"superseded,cessation-of-operation,affiliation-changed,key-compromise,privilege-withdrawn,unspecified" help:"Why: ${enum}."`
}

func (r *certRevokeCmd) Run(c *Console) error {
	return r.tell(c, http.MethodPost, "/revoke", map[string]string{"reason": r.Reason})
}

// tell makes a call about one certificate and prints it.
func (o *oneCert) tell(c *Console, method, rest string, in any) error {
	k, err := o.dial(c)
	if err != nil {
		return err
	}
	var one api.Certificate
	if err := k.call(c.Ctx, method, o.path(rest), nil, in, &one); err != nil {
		return err
	}
	return o.show(c, one, func(w io.Writer) {
		fmt.Fprintf(w, "Serial\t%s\nStatus\t%s\nMailbox\t%s\nProfile\t%s\nValid\t%s to %s\nSHA-256\t%s\n", one.Serial, one.Status, one.Mailbox, one.Profile, day(one.NotBefore), day(one.NotAfter), one.SHA256)
		if r := one.Revocation; r != nil {
			fmt.Fprintf(w, "Revoked\t%s, %s, by %s\n", day(r.At), r.Reason, r.By)
		}
		if method == http.MethodGet {
			fmt.Fprintf(w, "%s", one.PEM)
		}
	})
}
