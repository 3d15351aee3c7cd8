package cli

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"chancery.example/fault"
	"chancery.example/smime"
	"chancery.example/trust"
)

type trustCmd struct {
	beliefFlags
	Policy               []string `help:"A certificate policy to accept, such as 2.23.140.1.5.1.1; any if left out." placeholder:"OID" sep:"none"`
	ExplicitPolicy       bool     `help:"Demand that the whole path holds under one of the policies."`
	InhibitPolicyMapping bool     `help:"Let no issuer declare policies equal."`
	InhibitAnyPolicy     bool     `help:"Let no issuer stand for every policy."`
	JSON                 bool     `name:"json" help:"Write one JSON object."`
	Cert                 string   `arg:"" help:"The certificate, PEM or DER; further ones in the file help to find the way."`
}

// Validate checks what tags cannot say.
func (c *trustCmd) Validate() error {
	if len(c.CA) == 0 {
		return badUsage("say whom you trust: --ca FILE")
	}
	if _, err := c.policies(); err != nil {
		return err
	}
	return c.beliefFlags.Validate()
}

// Help is shown by trust --help.
func (c *trustCmd) Help() string {
	return `The path is judged by RFC 5280 for use in mail. Exit status: 0 trusted, 4 not; 1 a file could not be read, 2 usage.`
}

// trustAnswer is the JSON form of a result. It is a contract with scripts; chain and revocation are those of verify.
type trustAnswer struct {
	Trusted    bool              `json:"trusted"`
	Reasons    []trust.Reason    `json:"reasons"`
	Chain      []smime.ChainLink `json:"chain"`
	Revocation smime.Revocation  `json:"revocation"`
	// Policies are those under which the path holds, as object identifiers; 2.5.29.32.0 is any.
	Policies []string `json:"policies"`
}

// Run judges one certificate.
func (c *trustCmd) Run(console *Console) error {
	opts, err := c.options(console)
	if err != nil {
		return err
	}
	own, unreadable, err := readStrangers(c.Cert)
	if err != nil {
		return err
	}
	var result trust.Result
	if unreadable != nil && len(own) == 0 {
		result = trust.Result{Reasons: []trust.Reason{{Code: trust.Malformed, Text: fault.Sentence(unreadable)}},
			Revocation: trust.Revocation{Status: trust.NotChecked}}
	} else {
		opts.Intermediates = append(opts.Intermediates, own[1:]...)
		result = trust.Evaluate(console.Ctx, own[0], opts)
	}
	if err := console.Ctx.Err(); err != nil {
		return err
	}
	if err := c.write(console.Stdout, result); err != nil {
		return err
	}
	if !result.Trusted {
		return withStatus(StatusUntrusted)
	}
	return nil
}

// options reads the files. An intermediate that cannot be read is a stranger's fault and only warned of.
func (c *trustCmd) options(console *Console) (trust.Options, error) {
	flags := c.beliefFlags
	flags.Intermediate = nil
	belief, err := flags.options(console)
	if err != nil {
		return trust.Options{}, err
	}
	opts := trust.Options{Anchors: belief.Anchors, CRLs: belief.CRLs, At: belief.At, Revocation: belief.Revocation, Fetcher: belief.Fetcher,
		ExplicitPolicy: c.ExplicitPolicy, InhibitPolicyMapping: c.InhibitPolicyMapping, InhibitAnyPolicy: c.InhibitAnyPolicy}
	for _, path := range c.Intermediate {
		certs, unreadable, err := readStrangers(path)
		if err != nil {
			return opts, err
		}
		if unreadable != nil {
			console.Warn("%s: %s", path, fault.Sentence(unreadable))
		}
		opts.Intermediates = append(opts.Intermediates, certs...)
	}
	opts.Policies, err = c.policies()
	return opts, err
}

func (c *trustCmd) policies() ([]x509.OID, error) {
	var list []x509.OID
	for _, text := range c.Policy {
		oid, err := x509.ParseOID(text)
		if err != nil {
			return nil, badUsage("--policy %q is no object identifier such as 2.23.140.1.5.1.1", text)
		}
		list = append(list, oid)
	}
	return list, nil
}

// readStrangers reads the certificates of a file that can be read, and says what is wrong with the first that
// cannot. It fails when there is none of either kind. When it is the first of the file that cannot be read, there
// are none, since the first is the one that is meant.
func readStrangers(path string) (certs []*x509.Certificate, unreadable, err error) {
	data, err := readFile(path)
	if err != nil {
		return nil, nil, err
	}
	for i, der := range blocks(data, "CERTIFICATE", "X509 CERTIFICATE", "TRUSTED CERTIFICATE") {
		cert, err := trust.ParseCertificate(firstElement(der))
		switch {
		case err == nil:
			certs = append(certs, cert)
		case i == 0:
			return nil, err, nil
		case unreadable == nil:
			unreadable = err
		}
	}
	if len(certs) == 0 {
		return nil, nil, fault.New(fault.Invalid, "cli.no-certificate", "%s holds no certificate in PEM or DER", path)
	}
	return certs, unreadable, nil
}

func (c *trustCmd) write(w io.Writer, r trust.Result) error {
	if !c.JSON {
		_, err := io.WriteString(w, describeTrust(r))
		return err
	}
	answer := trustAnswer{Trusted: r.Trusted, Reasons: append([]trust.Reason{}, r.Reasons...), Chain: []smime.ChainLink{}, Policies: []string{},
		Revocation: smime.Revocation{Status: string(r.Revocation.Status), Source: r.Revocation.Source, Detail: r.Revocation.Detail}}
	if r.Revocation.Status == trust.StatusRevoked {
		answer.Revocation.RevokedAt, answer.Revocation.Reason = &r.Revocation.RevokedAt, &r.Revocation.Reason
	}
	for _, cert := range r.Chain {
		print := sha256.Sum256(cert.Raw)
		answer.Chain = append(answer.Chain, smime.ChainLink{Subject: cert.Subject.String(), Issuer: cert.Issuer.String(), Serial: cert.SerialNumber.Text(16),
			NotBefore: cert.NotBefore, NotAfter: cert.NotAfter, SHA256: hex.EncodeToString(print[:])})
	}
	for _, oid := range r.Policies {
		answer.Policies = append(answer.Policies, oid.String())
	}
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	encoder.SetEscapeHTML(false)
	return encoder.Encode(answer)
}

// describeTrust is the result for a person.
func describeTrust(r trust.Result) string {
	var b strings.Builder
	if r.Trusted {
		b.WriteString("trusted\n")
	} else {
		b.WriteString("not trusted\n")
	}
	for _, reason := range r.Reasons {
		fmt.Fprintf(&b, "  %s (%s)\n", printable(reason.Text), reason.Code)
	}
	for i, cert := range r.Chain {
		fmt.Fprintf(&b, "  %s%s\n", strings.Repeat("  ", i), printable(trust.Title(cert)))
	}
	if r.Revocation.Status != trust.NotChecked {
		fmt.Fprintf(&b, "  revocation: %s\n", r.Revocation.Status)
	}
	return b.String()
}
