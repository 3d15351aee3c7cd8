package portal_test

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	cdplog "github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/pquerna/otp/totp"
)

// shots is where pictures of every page go, for people to look at: go test ./server/portal -run Axe -shots DIR
var shots = flag.String("shots", "", "folder for pictures of every page; empty for none")

// lang is the language of the pages that axe looks at.
var lang = flag.String("pages-lang", "en", "language of the pages that axe looks at")

// axeScript finds axe-core, which make test fetches from npm.
func axeScript(t testing.TB) string {
	t.Helper()
	path := os.Getenv("CHANCERY_AXE")
	if path == "" {
		path = filepath.Join("..", "..", "internal", "tools", "assets", "node_modules", "axe-core", "axe.min.js")
	}
	script, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("axe-core is not there; make test fetches it (npm ci in internal/tools/assets): %v", err)
	}
	return string(script)
}

// chromium starts a browser without a window. It talks to loopback only.
func chromium(t testing.TB) context.Context {
	t.Helper()
	if testing.Short() {
		t.Skip("a browser is not started with -short")
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.NoSandbox, chromedp.DisableGPU,
		chromedp.Flag("disable-background-networking", true), chromedp.Flag("force-prefers-reduced-motion", true),
		chromedp.Flag("host-resolver-rules", "MAP * ~NOTFOUND , EXCLUDE localhost , EXCLUDE 127.0.0.1"))
	alloc, stop := chromedp.NewExecAllocator(context.Background(), options...)
	t.Cleanup(stop)
	ctx, done := chromedp.NewContext(alloc)
	t.Cleanup(done)
	ctx, cancel := context.WithTimeout(ctx, 5*time.Minute)
	t.Cleanup(cancel)
	chromedp.ListenTarget(ctx, func(event any) {
		switch e := event.(type) {
		case *cdplog.EventEntryAdded: // the content policy speaks here; a page with status 4xx is "network"
			if e.Entry.Level == cdplog.LevelError && e.Entry.Source != cdplog.SourceNetwork {
				t.Errorf("the browser says: %s %s", e.Entry.Text, e.Entry.URL)
			}
		case *runtime.EventExceptionThrown:
			t.Errorf("a script failed: %s", e.ExceptionDetails.Error())
		case *network.EventRequestWillBeSent:
			if u, err := url.Parse(e.Request.URL); err == nil && strings.HasPrefix(u.Scheme, "http") && u.Hostname() != "localhost" && u.Hostname() != "127.0.0.1" {
				t.Errorf("a page asks another host: %s", e.Request.URL)
			}
		}
	})
	if err := chromedp.Run(ctx, network.Enable(), cdplog.Enable()); err != nil {
		t.Fatalf("Chromium cannot be started; make test installs it: %v", err)
	}
	return ctx
}

// run does steps in the browser.
func run(t testing.TB, ctx context.Context, steps ...chromedp.Action) {
	t.Helper()
	if err := chromedp.Run(ctx, steps...); err != nil {
		t.Fatal(err)
	}
}

// wear puts a browser's cookies into Chromium, or takes all away.
func (s *stage) wear(b *browser) chromedp.Action {
	return chromedp.ActionFunc(func(ctx context.Context) error {
		if err := network.ClearBrowserCookies().Do(ctx); err != nil || b == nil {
			return err
		}
		at, err := url.Parse(s.doors.Portal)
		if err != nil {
			return err
		}
		for _, c := range b.client.Jar.Cookies(at) {
			if err := network.SetCookie(c.Name, c.Value).WithURL(s.doors.Portal).WithHTTPOnly(true).Do(ctx); err != nil {
				return err
			}
		}
		return nil
	})
}

// visit opens a view as a reader would, by address or by sending its form.
func (s *stage) visit(v view, lang string) []chromedp.Action {
	path := v.path + "?lang=" + lang
	if strings.Contains(v.path, "?") {
		path = v.path + "&lang=" + lang
	}
	if v.post == nil {
		return []chromedp.Action{chromedp.Navigate(s.doors.Portal + path), chromedp.WaitReady("h1")}
	}
	fields, err := json.Marshal(v.post)
	if err != nil {
		s.t.Fatal(err)
	}
	script := fmt.Sprintf(`(() => { const f = document.createElement("form"); f.method = "post"; f.action = %q; const v = %s;
		for (let i = 0; i + 1 < v.length; i += 2) { const e = document.createElement("input"); e.type = "hidden"; e.name = v[i]; e.value = v[i+1]; f.append(e); }
		document.body.append(f); setTimeout(() => f.submit(), 10); return true; })()`, path, fields)
	send := chromedp.ActionFunc(func(ctx context.Context) error {
		_, err := chromedp.RunResponse(ctx, chromedp.Evaluate(script, nil))
		return err
	})
	return []chromedp.Action{chromedp.Navigate(s.doors.Portal + "/check?lang=" + lang), chromedp.WaitReady("h1"), send, chromedp.WaitReady("h1")}
}

// scheme asks pages for light or dark.
func scheme(name string) chromedp.Action {
	return emulation.SetEmulatedMedia().WithFeatures([]*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: name}, {Name: "prefers-reduced-motion", Value: "reduce"}})
}

// violation is what axe finds.
type violation struct {
	ID, Impact, Help string
	Nodes            []struct {
		Target         []any
		FailureSummary string
	}
}

// axe runs the rules on the page as it is.
func axe(script, rules string) (*[]violation, []chromedp.Action) {
	var found []violation
	return &found, []chromedp.Action{
		chromedp.Evaluate(script+"; true", nil),
		chromedp.Evaluate(`axe.run(document, `+rules+`).then(r => r.violations)`, &found, awaitPromise),
	}
}

func TestAxeFindsNothingOnAnyPage(t *testing.T) {
	ctx := chromium(t)
	script := axeScript(t)
	s := setStage(t, openHouse(t, time.Now))
	views := s.views()
	for _, v := range views {
		t.Run(v.name, func(t *testing.T) {
			run(t, ctx, chromedp.EmulateViewport(1280, 900), scheme("light"), s.wear(s.who(v)))
			run(t, ctx, s.visit(v, *lang)...)
			s.examine(t, ctx, script, v.name)
		})
	}
	t.Run("codes", func(t *testing.T) {
		run(t, ctx, chromedp.EmulateViewport(1280, 900), scheme("light"), s.wear(nil))
		var uri string
		run(t, ctx, chromedp.Navigate(s.doors.Portal+s.invitation+"?lang="+*lang), chromedp.Value(`input[name=uri]`, &uri))
		secret, err := url.Parse(uri)
		if err != nil {
			t.Fatal(err)
		}
		code, err := totp.GenerateCode(secret.Query().Get("secret"), time.Now())
		if err != nil {
			t.Fatal(err)
		}
		run(t, ctx, chromedp.SendKeys("#password", goodPassword), chromedp.SendKeys("#code", code),
			chromedp.Click("main form > button[type=submit]"), chromedp.WaitVisible(".codes"))
		s.examine(t, ctx, script, "codes")
	})
}

// examine runs axe on the page as it is, in light and dark, and looks whether it fits a phone.
func (s *stage) examine(t *testing.T, ctx context.Context, script, name string) {
	t.Helper()
	light, steps := axe(script, `{resultTypes: ["violations"]}`)
	run(t, ctx, steps...)
	tell(t, "light", *light)
	s.picture(t, ctx, name+"-light")
	run(t, ctx, scheme("dark"))
	dark, steps := axe(script, `{resultTypes: ["violations"], runOnly: ["color-contrast"]}`)
	run(t, ctx, steps...)
	tell(t, "dark", *dark)
	s.picture(t, ctx, name+"-dark")
	run(t, ctx, scheme("light"), chromedp.EmulateViewport(360, 740))
	var over int
	run(t, ctx, chromedp.Evaluate(`document.documentElement.scrollWidth - document.documentElement.clientWidth`, &over))
	if over > 0 {
		t.Errorf("at 360 px the page is %d px too wide", over)
	}
	s.picture(t, ctx, name+"-narrow")
}

func tell(t *testing.T, scheme string, found []violation) {
	t.Helper()
	for _, v := range found {
		for _, n := range v.Nodes {
			t.Errorf("%s: %s (%s): %v\n%s", scheme, v.Help, v.ID, n.Target, n.FailureSummary)
		}
	}
}

// picture keeps what the browser shows, when pictures are wanted.
func (s *stage) picture(t *testing.T, ctx context.Context, name string) {
	t.Helper()
	if *shots == "" {
		return
	}
	var png []byte
	run(t, ctx, chromedp.Sleep(150*time.Millisecond), chromedp.FullScreenshot(&png, 100))
	if err := os.WriteFile(filepath.Join(*shots, name+".png"), png, 0o644); err != nil {
		t.Fatal(err)
	}
}
