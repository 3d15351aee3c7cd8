package store

import (
	"bytes"
	"context"
	"net"
	"net/url"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"chancery.example/fault"
)

// proxy stands between the store and PostgreSQL and can swallow the answer to one COMMIT, with the connection.
type proxy struct {
	listener net.Listener
	server   string
	// armed is the number of COMMITs whose answers are still to be swallowed.
	armed atomic.Int32
	// deaf says that the COMMIT itself is swallowed too, so that the server never sees it.
	deaf atomic.Bool
	// final says that with it all other connections break, and no new one comes about.
	final atomic.Bool
	conns sync.Map
}

func newProxy(t *testing.T, dsn string) (*proxy, string) {
	t.Helper()
	u, err := url.Parse(dsn)
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{listener: l, server: u.Host}
	t.Cleanup(p.close)
	u.Host = l.Addr().String()
	go func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			p.conns.Store(client, true)
			go p.serve(client)
		}
	}()
	return p, u.String()
}

func (p *proxy) close() {
	p.listener.Close()
	p.conns.Range(func(c, _ any) bool { c.(net.Conn).Close(); return true })
}

func (p *proxy) serve(client net.Conn) {
	defer client.Close()
	server, err := net.Dial("tcp", p.server)
	if err != nil {
		return
	}
	defer server.Close()
	var swallow atomic.Bool
	go func() { // what the server says
		defer client.Close()
		buf := make([]byte, 64<<10)
		for {
			n, err := server.Read(buf)
			if err != nil || swallow.Load() {
				return
			}
			if _, err := client.Write(buf[:n]); err != nil {
				return
			}
		}
	}()
	buf := make([]byte, 64<<10)
	for {
		n, err := client.Read(buf)
		if err != nil {
			return
		}
		if bytes.Contains(buf[:n], []byte("commit\x00")) && p.armed.Add(-1) >= 0 {
			if p.deaf.Load() {
				return
			}
			swallow.Store(true)
			if p.final.Load() {
				p.close()
			}
		}
		if _, err := server.Write(buf[:n]); err != nil {
			return
		}
	}
}

// A COMMIT whose answer is lost is found out, whichever way it went: who is told "stored" finds the unit, and it is
// there once.
func TestCommitWithoutAnswer(t *testing.T) {
	if testing.Short() {
		t.Skip("starts PostgreSQL")
	}
	for name, deaf := range map[string]bool{"the server stored it": false, "the server never saw it": true} {
		t.Run(name, func(t *testing.T) {
			c := databases(t)[1].config(t)
			p, dsn := newProxy(t, c.DSN)
			c.DSN = dsn
			s := open(t, c)
			p.deaf.Store(deaf)
			var once sync.Once
			errs := together(t, s, setting("unit0", nil), setting("unit1", func(context.Context, *tx) error {
				once.Do(func() { p.armed.Store(1) })
				return nil
			}))
			expectTraces(t, s, errs, -1)
		})
	}
	t.Run("the server is gone for good", func(t *testing.T) {
		c := databases(t)[1].config(t)
		p, dsn := newProxy(t, c.DSN)
		c.DSN = dsn
		s := open(t, c)
		s.queue.settleTime = 500 * time.Millisecond
		p.final.Store(true)
		p.armed.Store(1)
		err := s.SetSetting(t.Context(), "x", "y")
		if !fault.Is(err, fault.Unavailable) || fault.CodeOf(err) != "store.unknown" {
			t.Errorf("the caller is told %v, want store.unknown", err)
		}
	})
}
