package access

import (
	"fmt"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	"chancery.example/fault"
)

func TestLimiter(t *testing.T) {
	now := time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC)
	l := NewLimiter(map[Door]Limit{
		DoorOrder: {Burst: 3, Every: time.Minute},
		DoorMail:  {Burst: 100, Every: time.Second, AllBurst: 5, AllEvery: time.Second},
		DoorLink:  {Burst: 1, Every: time.Hour, AllBurst: 1, AllEvery: time.Second},
	}, func() time.Time { return now })
	take := func(d Door, key string, want int) { // want: seconds to wait, 0 for none
		t.Helper()
		err := l.Take(d, key)
		if (err == nil) != (want == 0) || RetryAfter(err) != want || (err != nil && !fault.Is(err, fault.Limited)) {
			t.Errorf("at %s %s gets %v (after %d), want to wait %d seconds", d, key, err, RetryAfter(err), want)
		}
	}
	for range 3 {
		take(DoorOrder, "a", 0)
	}
	take(DoorOrder, "a", 60)
	take(DoorOrder, "a", 60) // being refused costs nothing
	take(DoorOrder, "b", 0)
	now = now.Add(20*time.Second + 500*time.Millisecond)
	take(DoorOrder, "a", 40) // rounded up
	now = now.Add(40 * time.Second)
	take(DoorOrder, "a", 0)
	take(DoorOrder, "a", 60)
	l.Forget(DoorOrder, "a")
	take(DoorOrder, "a", 0)

	for i := range 5 {
		take(DoorMail, fmt.Sprint(i), 0)
	}
	take(DoorMail, "other", 1) // all together
	now = now.Add(time.Second)
	take(DoorMail, "other", 0)
	take(DoorLink, "a", 0)
	take(DoorLink, "b", 1) // all together, which costs b nothing of its own
	now = now.Add(time.Second)
	take(DoorLink, "b", 0)
	take("a door without a limit", "a", 0)

	if err := l.Take(DoorOrder, "c"); err != nil {
		t.Fatal(err)
	}
	if s := fault.Sentence(limited(DoorOrder, 100*time.Second)); s != "That was too often. Please wait 2 minutes and try again." {
		t.Errorf("the sentence is %q", s)
	}
	if n := RetryAfter(fault.New(fault.Limited, "x", "x")); n != 0 {
		t.Errorf("an error that says nothing of it gives %d", n)
	}
}

func TestLimiterNeedsBoundedMemory(t *testing.T) {
	now := time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC)
	l := NewLimiter(map[Door]Limit{DoorLink: {Burst: 1, Every: time.Hour}}, func() time.Time { return now })
	for i := range maxKeys + 1000 {
		if err := l.Take(DoorLink, fmt.Sprint(i)); err != nil {
			t.Fatal(err)
		}
		if i%100 == 99 { // somebody who comes again and again is not forgotten
			if err := l.Take(DoorLink, "0"); err == nil {
				t.Fatalf("the first one was forgotten after %d others", i)
			}
		}
	}
	if n, m := len(l.doors[DoorLink].keys), l.doors[DoorLink].order.Len(); n != maxKeys || m != maxKeys {
		t.Errorf("%d and %d keys are remembered, want %d", n, m, maxKeys)
	}
}

func TestWhoTheClientIs(t *testing.T) {
	proxies := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("2001:db8:1::/48")}
	for _, c := range []struct {
		name    string
		trusted []netip.Prefix
		peer    string
		headers []string
		want    string
		key     string
	}{
		{"without trusted proxies it is the peer, whatever the header says", nil, "192.0.2.7:1234", []string{"203.0.113.1"}, "192.0.2.7", "192.0.2.7"},
		{"a peer that is no trusted proxy may say what it likes", proxies, "192.0.2.7:1234", []string{"203.0.113.1"}, "192.0.2.7", "192.0.2.7"},
		{"a trusted proxy is believed", proxies, "10.1.1.1:1234", []string{"203.0.113.1"}, "203.0.113.1", "203.0.113.1"},
		{"what the client wrote into the header itself is not", proxies, "10.1.1.1:1234", []string{"1.2.3.4, 203.0.113.1"}, "203.0.113.1", "203.0.113.1"},
		{"a chain of proxies is followed", proxies, "10.1.1.1:1234", []string{"1.2.3.4, 203.0.113.1, 10.2.2.2", "10.3.3.3"}, "203.0.113.1", "203.0.113.1"},
		{"a client inside of the trusted network is the leftmost", proxies, "10.1.1.1:1234", []string{"10.9.9.9"}, "10.9.9.9", "10.9.9.9"},
		{"a proxy that says nothing is the client", proxies, "10.1.1.1:1234", nil, "10.1.1.1", "10.1.1.1"},
		{"nonsense ends the chain", proxies, "10.1.1.1:1234", []string{"203.0.113.1, unknown"}, "10.1.1.1", "10.1.1.1"},
		{"a port is left out", proxies, "10.1.1.1:1234", []string{"203.0.113.1:5678"}, "203.0.113.1", "203.0.113.1"},
		{"IPv6 counts by its network", proxies, "[2001:db8:1::1]:1234", []string{"2001:db8:2:3:4:5:6:7"}, "2001:db8:2:3:4:5:6:7", "2001:db8:2:3::/64"},
		{"IPv4 in IPv6 is IPv4", nil, "[::ffff:192.0.2.7]:1234", nil, "192.0.2.7", "192.0.2.7"},
		{"a very long header is read from its end", proxies, "10.1.1.1:1234", []string{strings.Repeat("1.2.3.4,", 100000) + "203.0.113.1"}, "203.0.113.1", "203.0.113.1"},
		{"a socket has no address", nil, "@", nil, "invalid IP", "socket"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := &http.Request{RemoteAddr: c.peer, Header: http.Header{"X-Forwarded-For": c.headers, "User-Agent": {strings.Repeat("ü", 200)}}}
			got := clients{trusted: c.trusted}.of(r)
			if got.Address.String() != c.want || got.Key() != c.key {
				t.Errorf("the client is %v with the key %q, want %s with %q", got.Address, got.Key(), c.want, c.key)
			}
			if len(got.Agent) > 200 || !strings.HasPrefix(got.Agent, "üüü") {
				t.Errorf("the agent has %d bytes", len(got.Agent))
			}
		})
	}
}
