package profile

import (
	"encoding/json"
	"slices"
	"testing"
	"time"

	"chancery.example/fault"
)

func TestFindKnowsTheDay(t *testing.T) {
	for _, c := range []struct {
		name, profile string
		at            time.Time
		kind          fault.Kind
		code          string
	}{
		{"strict today", "mv-strict", now, 0, ""},
		{"multipurpose today", "mv-multipurpose", now, 0, ""},
		{"legacy on its last day", "mv-legacy", time.Date(2025, 7, 14, 23, 59, 59, 0, time.UTC), 0, ""},
		{"legacy on the first day of its ban", "mv-legacy", time.Date(2025, 7, 15, 0, 0, 0, 0, time.UTC), fault.Refused, "profile.BR-002"},
		{"before there were rules", "mv-strict", time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC), fault.Refused, "profile.BR-002"},
		{"a name that is none", "mv", now, fault.NotFound, "profile.unknown"},
	} {
		t.Run(c.name, func(t *testing.T) {
			p, err := Find(c.profile, c.at)
			if c.code == "" {
				if err != nil || p.Name != c.profile || p.Type != MV {
					t.Errorf("got %+v, %v", p, err)
				}
				return
			}
			mustBe(t, err, c.kind, c.code)
		})
	}
	if got := Names(now); !slices.Equal(got, []string{"mv-strict", "mv-multipurpose"}) || got[0] != Default {
		t.Errorf("today: %q", got)
	}
}

func TestNamesOfTheEnumsGoThereAndBack(t *testing.T) {
	type all struct {
		T Type
		G Generation
		U Use
		M Mode
	}
	for _, a := range []all{{}, {MV, Legacy, Sign, Private}, {OV, Multipurpose, Encrypt, Public}, {SV, Strict, Dual, Public}, {IV, Strict, Dual, Private}} {
		text, err := json.Marshal(a)
		if err != nil {
			t.Fatal(err)
		}
		var b all
		if err := json.Unmarshal(text, &b); err != nil || a != b {
			t.Errorf("%s came back as %+v, %v", text, b, err)
		}
	}
	var g Generation
	mustBe(t, g.UnmarshalText([]byte("lax")), fault.Invalid, "profile.generation")
	if s := Type(9).String(); s != "unknown(9)" {
		t.Error(s)
	}
}

func TestReservedPolicies(t *testing.T) {
	for _, c := range []struct {
		t    Type
		g    Generation
		want string
	}{{MV, Legacy, "2.23.140.1.5.1.1"}, {MV, Multipurpose, "2.23.140.1.5.1.2"}, {MV, Strict, "2.23.140.1.5.1.3"},
		{OV, Strict, "2.23.140.1.5.2.3"}, {SV, Multipurpose, "2.23.140.1.5.3.2"}, {IV, Legacy, "2.23.140.1.5.4.1"}, {0, Strict, ""}, {MV, 0, ""}, {5, 4, ""}} {
		if got := ReservedPolicy(c.t, c.g).String(); got != c.want {
			t.Errorf("%s %s: %s, want %s", c.t, c.g, got, c.want)
		}
	}
}

func TestMaxValidity(t *testing.T) {
	day := 24 * time.Hour
	if MaxValidity(Legacy, now) != 1185*day || MaxValidity(Multipurpose, now) != 825*day || MaxValidity(Strict, now) != 825*day || MaxValidity(0, now) != 0 {
		t.Error("not the figures of SBR 6.3.2")
	}
}
