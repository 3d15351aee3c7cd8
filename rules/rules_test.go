package rules

import (
	"testing"
	"time"
)

func TestEveryKeyHasAnUnbrokenRowSet(t *testing.T) {
	if len(index) < 60 {
		t.Fatalf("only %d keys in the table", len(index))
	}
	for key, rows := range index {
		t.Run(key, func(t *testing.T) {
			if !rows[0].From.IsZero() {
				t.Errorf("the first row begins at %s, so there is no figure before", rows[0].From)
			}
			if last := rows[len(rows)-1]; !last.Until.IsZero() {
				t.Errorf("the last row ends at %s, so there is no figure after", last.Until)
			}
			for i, f := range rows {
				if f.Citation == "" {
					t.Error("a row without a citation")
				}
				if f.Unit == OnOff && f.Value != 0 && f.Value != 1 {
					t.Errorf("a switch of value %d", f.Value)
				}
				if f.Unit != rows[0].Unit {
					t.Errorf("units change from %s to %s", rows[0].Unit, f.Unit)
				}
				if i == 0 {
					continue
				}
				before := rows[i-1]
				if !before.Until.Equal(f.From) {
					t.Errorf("row %d ends at %s and the next begins at %s", i-1, before.Until, f.From)
				}
				if !f.From.After(before.From) {
					t.Errorf("row %d does not begin after the one before it", i)
				}
				if f.Value == before.Value {
					t.Errorf("row %d changes nothing", i)
				}
			}
		})
	}
}

// Every declared constant must have rows; the compiler cannot list constants, so this list names them by use.
func TestEveryDeclaredKeyIsInTheTable(t *testing.T) {
	at := day(2026, 11, 22)
	for _, k := range []Period{MaxValidityLegacy, MaxValidityMultipurpose, MaxValidityStrict, DefaultValidity, RootValidity,
		IssuingValidity, ResponderValidity, DomainEvidenceReuse, MailboxEvidenceReuse, MailServerEvidenceReuse, ACMEEvidenceReuse,
		PersistentTXTReuse, OrganisationEvidenceReuse, IndividualEvidenceReuse, AuthorityEvidenceReuse, CAADecisionLife, CAARemoteReuse,
		DomainRandomValueLife, MailboxRandomValueLife, MailServerRandomValueLife, ACMETokenLife, PickUpWindow, LeafCRLInterval,
		LeafCRLSpan, CACRLInterval, CACRLSpan, CACRLAfterRevoke, OCSPShortest, OCSPLongest, OCSPLongLived, OCSPRefreshBefore,
		OCSPRefreshAfter, CAOCSPInterval, CAOCSPAfterRevoke, StatusResponseTime, RevokeUrgent, RevokeOrdinary, RevokeCA,
		ProblemReportAnswer, SelfAuditInterval, RecordRetention, CPSReview} {
		if Duration(k, at) <= 0 {
			t.Errorf("%s: no duration", k)
		}
	}
	for _, k := range []Amount{RandomValueBits, ACMETokenBits, LeafRSABits, CARSABits, LeafIssuerRSABits, RSAMostBits,
		RSABitsMultiple, SerialRandomBits, SerialMostBits, HouseSerialBits, DeliveryStrength, MPICRemotes, MPICDissentFew,
		MPICDissentMany, SelfAuditLeast, SelfAuditShare} {
		if Int(k, at) <= 0 {
			t.Errorf("%s: no amount", k)
		}
	}
	for _, k := range []Switch{LegacyIssuance, LintRecommended, LintRequired, CAARequired, DNSSECRequired, MPICRequired,
		MPICQuorumEnforced, MPICRegionsRequired} {
		if Number(k, at).Unit != OnOff {
			t.Errorf("%s: no switch", k)
		}
	}
}

func TestNumbersOnTheirDays(t *testing.T) {
	eve := func(y int, m time.Month, d int) time.Time { return day(y, m, d).Add(-time.Second) }
	for _, c := range []struct {
		name string
		got  func(time.Time) int64
		at   time.Time
		want int64
	}{
		{"mailbox evidence lives 30 days", value(MailboxEvidenceReuse), day(2026, 11, 22), 30},
		{"domain evidence lives 398 days", value(DomainEvidenceReuse), day(2026, 11, 22), 398},
		{"a random value lives 24 hours", value(MailboxRandomValueLife), day(2026, 11, 22), 24},
		{"a CA may have RSA-2048 until the evening before", value(CARSABits), eve(2026, 9, 15), 2048},
		{"a CA needs RSA-4096 from 2026-09-15", value(CARSABits), day(2026, 9, 15), 4096},
		{"RSA-2048 issuers end 2027-09-15", value(LeafIssuerRSABits), day(2027, 9, 15), 3072},
		{"and still sign the evening before", value(LeafIssuerRSABits), eve(2027, 9, 15), 2048},
		{"legacy was issuable on 2025-07-14", value(LegacyIssuance), eve(2025, 7, 15), 1},
		{"legacy is banned from 2025-07-15", value(LegacyIssuance), day(2025, 7, 15), 0},
		{"lint binds from 2025-09-15", value(LintRequired), day(2025, 9, 15), 1},
		{"four remotes today", value(MPICRemotes), day(2026, 11, 22), 4},
		{"five remotes from mid December", value(MPICRemotes), day(2026, 12, 15), 5},
		{"a figure holds before there were rules", value(MPICRemotes), day(2001, 1, 1), 0},
		{"another time zone is the same moment", value(CARSABits), time.Date(2026, 9, 15, 1, 0, 0, 0, time.FixedZone("CEST", 7200)), 2048},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := c.got(c.at); got != c.want {
				t.Errorf("got %d, want %d", got, c.want)
			}
		})
	}
}

func value[K Key](k K) func(time.Time) int64 {
	return func(at time.Time) int64 { return Number(k, at).Value }
}

func TestFiguresAsTheirUnits(t *testing.T) {
	at := day(2026, 11, 22)
	if got := Duration(MaxValidityStrict, at); got != 71_280_000*time.Second {
		t.Errorf("825 days are %s", got)
	}
	if got := Duration(MaxValidityLegacy, at); got != 102_384_000*time.Second {
		t.Errorf("1185 days are %s", got)
	}
	if got := Duration(StatusResponseTime, at); got != 10*time.Second {
		t.Errorf("response time is %s", got)
	}
	if got := Number(LeafRSABits, at).Duration(); got != 0 {
		t.Errorf("bits are no duration, got %s", got)
	}
	if !On(LintRequired, at) || On(LegacyIssuance, at) {
		t.Error("switches read wrong")
	}
	if f := Number(Amount("no such key"), at); f != (Figure{}) {
		t.Errorf("an unknown key gave %v", f)
	}
}

func TestAllIsACopy(t *testing.T) {
	before := Int(LeafRSABits, day(2026, 1, 1))
	all := All()
	for i := range all {
		all[i].Value = 1
	}
	if got := Int(LeafRSABits, day(2026, 1, 1)); got != before {
		t.Errorf("the table could be changed from outside: %d", got)
	}
}
