package notify

import (
	"context"
	"crypto/tls"
	"errors"
	"net/mail"
	"time"

	gomail "github.com/wneessen/go-mail"

	"chancery.example/fault"
	"chancery.example/jobs"
)

// Security is how the connection to the SMTP server is protected.
type Security string

// The kinds of protection. Without any, only a server on this machine is spoken to.
const (
	StartTLS Security = "starttls" // demanded, not merely tried (RFC 3207)
	TLS      Security = "tls"      // from the first byte (RFC 8314)
	None     Security = "none"
)

// SMTP is the carrier that hands mails to an SMTP server.
type SMTP struct {
	Host               string
	Port               int // 0 takes the usual one of the protection: 587, 465, 25
	Security           Security
	Username, Password string // empty for no authentication
	Hello              string // the name given in EHLO; empty for the machine's
	From               mail.Address
	TLSConfig          *tls.Config // for tests with an authority of their own; nil for the system's
	Timeout            time.Duration
}

// Carry hands one mail over. A permanent refusal by the server (5yz) is not tried again, and neither is a server that
// cannot carry the address (RFC 6531). What the server accepted has left, whatever happens to the connection afterwards.
func (s *SMTP) Carry(ctx context.Context, m Message) error {
	msg, err := m.build(s.From)
	if err != nil {
		return err
	}
	client, err := gomail.NewClient(s.Host, s.options()...)
	if err != nil {
		return jobs.Give(fault.Wrap(err, fault.Unavailable, "smtp.settings", "The SMTP settings cannot be used: %v", err))
	}
	conn, err := client.DialToSMTPClientWithContext(ctx)
	if err != nil {
		return fault.Wrap(err, fault.Unavailable, "smtp.unreachable", "The mail server %s cannot be reached: %v", s.Host, err)
	}
	defer client.CloseWithSMTPClient(conn)
	// Who asks for SMTPUTF8 without need has the mail refused by every relay that does not know it.
	conn.SkipSMTPUTF8(m.To.ASCII())
	if known, _ := conn.Extension("SMTPUTF8"); !known && !m.To.ASCII() {
		return jobs.Give(fault.New(fault.Refused, "smtp.utf8", "The mail server %s cannot carry mail to %s: it does not know addresses with letters beyond ASCII before the @ (SMTPUTF8, RFC 6531). Use a server that does, or another address.", s.Host, m.To.Unicode()))
	}
	err = client.SendWithSMTPClient(conn, msg)
	if msg.IsDelivered() {
		return nil
	}
	var refused *gomail.SendError
	if errors.As(err, &refused) && !refused.IsTemp() && refused.ErrorCode() >= 500 {
		return jobs.Give(fault.Wrap(err, fault.Refused, "smtp.refused", "The mail server refused the mail: %v", err))
	}
	if err != nil {
		return fault.Wrap(err, fault.Unavailable, "smtp.failed", "The mail server %s did not take the mail: %v", s.Host, err)
	}
	return nil
}

func (s *SMTP) options() []gomail.Option {
	timeout := s.Timeout
	if timeout == 0 {
		timeout = 30 * time.Second
	}
	opts := []gomail.Option{gomail.WithTimeout(timeout)}
	switch s.Security {
	case TLS:
		opts = append(opts, gomail.WithSSLPort(false))
	case None:
		opts = append(opts, gomail.WithTLSPortPolicy(gomail.NoTLS))
	default:
		opts = append(opts, gomail.WithTLSPortPolicy(gomail.TLSMandatory))
	}
	if s.Port != 0 {
		opts = append(opts, gomail.WithPort(s.Port))
	}
	if s.Username != "" {
		opts = append(opts, gomail.WithSMTPAuth(gomail.SMTPAuthAutoDiscover), gomail.WithUsername(s.Username), gomail.WithPassword(s.Password))
	}
	if s.Hello != "" {
		opts = append(opts, gomail.WithHELO(s.Hello))
	}
	if s.TLSConfig != nil {
		opts = append(opts, gomail.WithTLSConfig(s.TLSConfig))
	}
	return opts
}

// build makes the mail as it leaves. Its Message-ID is the mail's own, so that a second try after a lost answer can be
// recognised by the receiver.
func (m Message) build(from mail.Address) (*gomail.Msg, error) {
	msg := gomail.NewMsg(gomail.WithNoDefaultUserAgent())
	if err := msg.From(from.String()); err != nil { // String quotes and encodes whatever the name holds
		return nil, jobs.Give(fault.Wrap(err, fault.Invalid, "mail.from", "The sender address %q cannot be used; set mail.from.", from.Address))
	}
	if err := msg.To(m.To.String()); err != nil {
		return nil, jobs.Give(fault.Wrap(err, fault.Invalid, "mail.to", "The address %s cannot be written to.", m.To))
	}
	msg.Subject(m.Subject)
	msg.SetDateWithValue(m.Date)
	msg.SetMessageIDWithValue(m.ID + "@" + domainOf(from.Address))
	msg.SetGenHeader("Auto-Submitted", "auto-generated") // RFC 3834 5
	msg.SetBodyString(gomail.TypeTextPlain, m.Text)
	if m.HTML != "" {
		msg.AddAlternativeString(gomail.TypeTextHTML, m.HTML)
	}
	return msg, nil
}

func domainOf(address string) string {
	for i := len(address) - 1; i >= 0; i-- {
		if address[i] == '@' {
			return address[i+1:]
		}
	}
	return "localhost"
}
