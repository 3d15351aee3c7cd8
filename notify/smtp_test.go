package notify_test

import (
	"crypto/tls"
	"crypto/x509"
	"io"
	"log"
	"net"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"

	"chancery.example/fault"
	"chancery.example/jobs"
	"chancery.example/notify"
	"chancery.example/ra/workflow"
	"chancery.example/testca"
)

// server is a real SMTP server in this process.
type server struct {
	*smtp.Server
	port int
	// answer, when set, is given to that command.
	at     string
	answer error

	mu       sync.Mutex
	got      []taken
	dropNext bool // the connection goes after the mail was accepted
}

type taken struct {
	from, to, user string
	utf8, tls      bool
	data           string
}

type session struct {
	s    *server
	conn *smtp.Conn
	now  taken
}

func (s *session) AuthMechanisms() []string { return []string{sasl.Plain} }

func (s *session) Auth(string) (sasl.Server, error) {
	return sasl.NewPlainServer(func(_, username, password string) error {
		if username != "chancery" || password != "right" {
			return smtp.ErrAuthFailed
		}
		s.now.user = username
		return nil
	}), nil
}

func (s *session) Mail(from string, o *smtp.MailOptions) error {
	s.now.from, s.now.utf8 = from, o.UTF8
	return s.at("MAIL")
}

func (s *session) Rcpt(to string, _ *smtp.RcptOptions) error {
	s.now.to = to
	return s.at("RCPT")
}

func (s *session) Data(r io.Reader) error {
	raw, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	if err := s.at("DATA"); err != nil {
		return err
	}
	_, s.now.tls = s.conn.TLSConnectionState()
	s.now.data = string(raw)
	s.s.mu.Lock()
	defer s.s.mu.Unlock()
	s.s.got = append(s.s.got, s.now)
	if s.s.dropNext {
		time.AfterFunc(20*time.Millisecond, func() { s.conn.Conn().Close() })
	}
	return nil
}

func (s *session) at(command string) error {
	if s.s.at == command {
		return s.s.answer
	}
	return nil
}

func (s *session) Reset() {
	if s.s.dropNext {
		time.Sleep(50 * time.Millisecond) // RSET is never answered
	}
}
func (s *session) Logout() error { return nil }

// identity is the server's certificate, by an authority that only this test knows.
func identity(t *testing.T) (tls.Certificate, *x509.CertPool) {
	t.Helper()
	root := testca.New(t).Root()
	leaf := root.Leaf("", testca.ExtUsage(x509.ExtKeyUsageServerAuth), testca.With(func(c *x509.Certificate) {
		c.DNSNames, c.IPAddresses = []string{"localhost"}, []net.IP{net.IPv4(127, 0, 0, 1)}
	}))
	pool := x509.NewCertPool()
	pool.AddCert(root.Cert)
	return tls.Certificate{Certificate: [][]byte{leaf.Cert.Raw}, PrivateKey: leaf.Key}, pool
}

// serve starts a server and gives a carrier that speaks to it.
func serve(t *testing.T, security notify.Security, change ...func(*server)) (*server, *notify.SMTP) {
	t.Helper()
	cert, pool := identity(t)
	s := &server{}
	s.Server = smtp.NewServer(smtp.BackendFunc(func(c *smtp.Conn) (smtp.Session, error) { return &session{s: s, conn: c}, nil }))
	s.Domain, s.ErrorLog = "localhost", log.New(io.Discard, "", 0)
	if security != notify.None {
		s.TLSConfig = &tls.Config{Certificates: []tls.Certificate{cert}}
	}
	for _, f := range change {
		f(s)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s.port = l.Addr().(*net.TCPAddr).Port
	if security == notify.TLS {
		l = tls.NewListener(l, s.TLSConfig)
	}
	done := make(chan struct{})
	go func() { s.Serve(l); close(done) }()
	t.Cleanup(func() { l.Close(); s.Close(); <-done })
	return s, &notify.SMTP{Host: "127.0.0.1", Port: s.port, Security: security, From: house, Hello: "chancery.example", Timeout: 5 * time.Second,
		TLSConfig: &tls.Config{RootCAs: pool, ServerName: "127.0.0.1", MinVersion: tls.VersionTLS12}}
}

func (s *server) taken() []taken {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.got
}

func TestMailGoesToTheServer(t *testing.T) {
	for _, security := range []notify.Security{notify.StartTLS, "", notify.TLS, notify.None} {
		t.Run("security "+string(security), func(t *testing.T) {
			s, carrier := serve(t, security)
			m := compose(t, "House", workflow.MailConfirm, "de")
			if err := carrier.Carry(t.Context(), m); err != nil {
				t.Fatal(err)
			}
			got := s.taken()
			if len(got) != 1 || got[0].from != "pki@example.com" || got[0].to != "alice@example.com" || got[0].tls != (security != notify.None) || got[0].utf8 {
				t.Fatalf("the server took %+v", got)
			}
			header, parts := read(t, []byte(got[0].data))
			if header.Get("Message-Id") != "<"+m.ID+"@example.com>" || parts["text/plain"] != m.Text {
				t.Errorf("it arrived as %v", header)
			}
		})
	}
}

func TestAuthentication(t *testing.T) {
	for _, security := range []notify.Security{notify.StartTLS, notify.TLS} {
		s, carrier := serve(t, security)
		carrier.Username, carrier.Password = "chancery", "right"
		if err := carrier.Carry(t.Context(), compose(t, "House", workflow.MailConfirm, "en")); err != nil {
			t.Fatal(err)
		}
		if got := s.taken(); got[0].user != "chancery" {
			t.Errorf("taken from %q", got[0].user)
		}
		carrier.Password = "wrong-hunter2"
		err := carrier.Carry(t.Context(), compose(t, "House", workflow.MailConfirm, "en"))
		if !fault.Is(err, fault.Unavailable) || jobs.GivenUp(err) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("a wrong password: %v", err)
		}
	}
}

func TestNothingIsSentWhereTheServerIsNotTheOneItShouldBe(t *testing.T) {
	for _, c := range []struct {
		name     string
		security notify.Security
		change   func(*server, *notify.SMTP)
	}{
		{"a server without STARTTLS", notify.StartTLS, func(s *server, _ *notify.SMTP) { s.TLSConfig = nil }},
		{"a certificate by an authority that is not trusted, with STARTTLS", notify.StartTLS, func(_ *server, c *notify.SMTP) { c.TLSConfig = &tls.Config{ServerName: "127.0.0.1"} }},
		{"a certificate by an authority that is not trusted, with TLS", notify.TLS, func(_ *server, c *notify.SMTP) { c.TLSConfig = nil }},
		{"a certificate for another name", notify.StartTLS, func(_ *server, c *notify.SMTP) { c.TLSConfig.ServerName = "mail.example.com" }},
		{"a server that speaks no TLS where it should from the first octet", notify.TLS, func(_ *server, c *notify.SMTP) {
			plain, _ := serve(t, notify.None)
			c.Port = plain.port
		}},
		{"a server that speaks TLS where STARTTLS is expected", notify.StartTLS, func(_ *server, c *notify.SMTP) {
			implicit, _ := serve(t, notify.TLS)
			c.Port, c.Timeout = implicit.port, 300*time.Millisecond
		}},
		{"no server at all", notify.StartTLS, func(_ *server, c *notify.SMTP) {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			c.Port = l.Addr().(*net.TCPAddr).Port
			l.Close()
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, carrier := serve(t, c.security)
			carrier.Username, carrier.Password = "chancery", "right"
			c.change(s, carrier)
			err := carrier.Carry(t.Context(), compose(t, "House", workflow.MailConfirm, "en"))
			if !fault.Is(err, fault.Unavailable) || fault.CodeOf(err) != "smtp.unreachable" || jobs.GivenUp(err) {
				t.Errorf("got %v (given up: %v)", err, jobs.GivenUp(err))
			}
			if got := s.taken(); len(got) != 0 {
				t.Errorf("it was sent all the same: %+v", got)
			}
		})
	}
}

func TestWhatTheServerAnswersDecides(t *testing.T) {
	for _, command := range []string{"MAIL", "RCPT", "DATA"} {
		for _, code := range []int{421, 450, 451, 452, 500, 550, 552, 554} {
			t.Run(command+" "+strconv.Itoa(code), func(t *testing.T) {
				s, carrier := serve(t, notify.StartTLS, func(s *server) {
					s.at, s.answer = command, &smtp.SMTPError{Code: code, EnhancedCode: smtp.EnhancedCode{code / 100, 1, 1}, Message: "said the server"}
				})
				err := carrier.Carry(t.Context(), compose(t, "House", workflow.MailConfirm, "en"))
				if err == nil || jobs.GivenUp(err) != (code >= 500) || !strings.Contains(err.Error(), "said the server") {
					t.Errorf("given up: %v; %v", jobs.GivenUp(err), err)
				}
				if want := map[bool]fault.Kind{true: fault.Refused, false: fault.Unavailable}[code >= 500]; !fault.Is(err, want) {
					t.Errorf("the kind is %v", fault.KindOf(err))
				}
				if len(s.taken()) != 0 {
					t.Error("it was taken all the same")
				}
			})
		}
	}
}

// A connection that breaks after the server said yes must not have the mail sent again.
func TestAMailThatWasAcceptedHasLeft(t *testing.T) {
	s, carrier := serve(t, notify.StartTLS, func(s *server) { s.dropNext = true })
	if err := carrier.Carry(t.Context(), compose(t, "House", workflow.MailConfirm, "en")); err != nil || len(s.taken()) != 1 {
		t.Errorf("%d taken; %v", len(s.taken()), err)
	}
}

func TestAddressesBeyondASCII(t *testing.T) {
	m := compose(t, "House", workflow.MailConfirm, "en")
	m.To = address(t, "jürgen@bücher.example")
	s, carrier := serve(t, notify.StartTLS, func(s *server) { s.EnableSMTPUTF8 = true })
	if err := carrier.Carry(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	if got := s.taken(); len(got) != 1 || got[0].to != "jürgen@xn--bcher-kva.example" || !got[0].utf8 || !strings.Contains(got[0].data, "To: <jürgen@xn--bcher-kva.example>") {
		t.Errorf("taken as %+v", got)
	}
	m.To = address(t, "juergen@bücher.example") // A-labels need nothing of the server
	if err := carrier.Carry(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	if got := s.taken(); len(got) != 2 || got[1].to != "juergen@xn--bcher-kva.example" || got[1].utf8 {
		t.Errorf("taken as %+v", got)
	}
	m.To = address(t, "jürgen@example.com")
	s, carrier = serve(t, notify.StartTLS)
	err := carrier.Carry(t.Context(), m)
	if !fault.Is(err, fault.Refused) || fault.CodeOf(err) != "smtp.utf8" || !jobs.GivenUp(err) || len(s.taken()) != 0 || !strings.Contains(fault.Sentence(err), "jürgen@example.com") {
		t.Errorf("got %v", err)
	}
}

func TestQuotedAndLongAddresses(t *testing.T) {
	s, carrier := serve(t, notify.StartTLS)
	for _, to := range []string{`"a b"@example.com`, strings.Repeat("a", 64) + "@example.com", "alice+tag@example.com", `"a\"b"@example.com`} {
		m := compose(t, "House", workflow.MailConfirm, "en")
		m.To = address(t, to)
		if err := carrier.Carry(t.Context(), m); err != nil {
			t.Errorf("%s: %v", to, err)
			continue
		}
		got := s.taken()
		if header, _ := read(t, []byte(got[len(got)-1].data)); header.Get("To") != "<"+to+">" {
			t.Errorf("%s became %s", to, header.Get("To"))
		}
	}
}

func TestASenderThatIsNoneIsSaid(t *testing.T) {
	_, carrier := serve(t, notify.StartTLS)
	carrier.From.Address = "not an address"
	if err := carrier.Carry(t.Context(), compose(t, "House", workflow.MailConfirm, "en")); fault.CodeOf(err) != "mail.from" || !jobs.GivenUp(err) {
		t.Errorf("got %v", err)
	}
}
