package scenario

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/weirhq/weir/internal/finops/money"
	"github.com/weirhq/weir/internal/models/catalog"
)

var november = time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)

func articleBook() Book { return BookOf(catalog.Embedded(), "article-2026-06", november) }

func listBook() Book { return BookOf(catalog.Embedded(), "list-2026-08", november) }

// within demands at most 0.1 % of difference.
func within(t *testing.T, what string, got money.Nano, want Amount) {
	t.Helper()
	if diff := got - money.Nano(want); max(diff, -diff)*1000 > money.Nano(want) {
		t.Errorf("%s: %s, want %s within 0.1 %%", what, got, money.Nano(want))
	}
}

func TestUniformDayComesToWhatIsExpected(t *testing.T) {
	s := Procurement()
	want := s.Profiles["uniform"].Expect
	if want == nil {
		t.Fatal("the file expects nothing")
	}
	article, err := s.Analytic("uniform", articleBook())
	if err != nil {
		t.Fatal(err)
	}
	within(t, "before", article.Before.Day, want.Before)
	within(t, "after, Pro", article.Honest[CompressorPro].Day, want.After.Pro)
	within(t, "after, Flash-Lite", article.Honest[CompressorFlashLite].Day, want.After.FlashLite)
	list, err := s.Analytic("uniform", listBook())
	if err != nil {
		t.Fatal(err)
	}
	within(t, "real before", list.Before.Day, want.Real.Before)
	within(t, "real after, Pro", list.Honest[CompressorPro].Day, want.Real.After.Pro)
	within(t, "real after, Flash-Lite", list.Honest[CompressorFlashLite].Day, want.Real.After.FlashLite)

	if diff := cmp.Diff([4]int64{0, 7500, 2000, 500}, article.Shares); diff != "" {
		t.Errorf("shares:\n%s", diff)
	}
	if diff := cmp.Diff([4]int64{0, 100_000, 25_000, 5_000}, article.Attempts); diff != "" {
		t.Errorf("attempts:\n%s", diff)
	}
	if got := article.Naive.Day.Round(0); got != "$432" {
		t.Errorf("naive: %s, want $432", got)
	}
	if article.Before.Year != article.Before.Day*365 || article.Before.Interaction != article.Before.Day/100_000 {
		t.Errorf("interaction, day and year do not fit: %+v", article.Before)
	}
}

// TestMixedDayByHand adds one kind up in plain numbers: payment-dispute, 4 % of the day.
func TestMixedDayByHand(t *testing.T) {
	s := Procurement()
	k := s.topicKind(disputeKind)
	s.Profiles["mixed"] = Profile{Kinds: []Kind{{
		Name: k.Name, Share: whole, Input: k.Input, Output: k.Output,
		Needs: k.Needs,
	}}}
	got, err := s.Analytic("mixed", articleBook())
	if err != nil {
		t.Fatal(err)
	}
	// 8,500 in, 900 out; 85 % need layer 3, the rest layer 2. In nano-dollars an interaction:
	l1 := money.Nano(8500*100 + 900*400)
	l2 := money.Nano(8500*2000 + 900*12000)
	l3 := money.Nano(2125*15000 + 900*60000)
	pro, flash := money.Nano(8500*2000+2125*12000), money.Nano(8500*100+2125*400)
	for c, compress := range map[string]money.Nano{CompressorPro: pro, CompressorFlashLite: flash} {
		want := 100_000*(l1+l2) + 85_000*(l3+compress)
		if got.Honest[c].Day != want {
			t.Errorf("%s: %s, want %s", c, got.Honest[c].Day, want)
		}
	}
	if want := 100_000 * money.Nano(8500*15000+900*60000); got.Before.Day != want {
		t.Errorf("before: %s, want %s", got.Before.Day, want)
	}
}

func TestLongManifestsCostTheirOwnPrice(t *testing.T) {
	s := Procurement()
	k := s.topicKind(manifestKind)
	k.Share = whole
	s.Profiles["mixed"] = Profile{Kinds: []Kind{k}}
	switched := Book{"switch", func(model string, prompt int64) (catalog.Price, bool) {
		rate := money.Pico(1_000_000)
		if prompt > 100_000 {
			rate *= 10
		}
		return catalog.Price{Rates: map[money.Meter]money.Pico{money.Input: rate, money.Output: 0}}, true
	}}
	got, err := s.Analytic("mixed", switched)
	if err != nil {
		t.Fatal(err)
	}
	want := money.Nano(99_500*13_000*1000 + 500*180_000*10_000)
	if got.Before.Day != want {
		t.Errorf("before: %s, want %s", got.Before.Day, want)
	}
}

func TestClaimReproducesTheSourcesFigures(t *testing.T) {
	s := Procurement()
	for _, tc := range []struct {
		book       Book
		compressor string
		want       [2]int64 // layer 2's mean input with 300 and with 500 output tokens
		equivalent int64
	}{
		{articleBook(), CompressorPro, [2]int64{11_058, 9_778}, 3_333},
		{articleBook(), CompressorFlashLite, [2]int64{14_863, 13_142}, 3_333},
		{listBook(), CompressorPro, [2]int64{13_313, 12_205}, 10_000},
		{listBook(), CompressorFlashLite, [2]int64{18_894, 17_322}, 10_000},
	} {
		c, err := s.Claim(tc.book, tc.compressor)
		if err != nil {
			t.Fatal(err)
		}
		if got := [2]int64{c.Layer2Input[300], c.Layer2Input[500]}; got != tc.want || c.Equivalents != tc.equivalent {
			t.Errorf("%s, %s: %v and %d equivalents, want %v and %d", tc.book.ID, tc.compressor, got, c.Equivalents, tc.want,
				tc.equivalent)
		}
	}
}

func TestReportsAreGolden(t *testing.T) {
	s := Procurement()
	var b strings.Builder
	for _, book := range []Book{articleBook(), listBook()} {
		for _, profile := range s.Names() {
			a, err := s.Analytic(profile, book)
			if err != nil {
				t.Fatal(err)
			}
			if err := a.Report(&b); err != nil {
				t.Fatal(err)
			}
		}
		for _, compressor := range []string{CompressorPro, CompressorFlashLite} {
			c, err := s.Claim(book, compressor)
			if err != nil {
				t.Fatal(err)
			}
			if err := c.Report(&b); err != nil {
				t.Fatal(err)
			}
		}
	}
	golden(t, "analytic.golden", b.String())
}

func TestAnalyticWithoutAPrice(t *testing.T) {
	s := Procurement()
	none := Book{"empty", func(string, int64) (catalog.Price, bool) { return catalog.Price{}, false }}
	if _, err := s.Analytic("uniform", none); err == nil || !strings.Contains(err.Error(), "no price for gpt-5.5") {
		t.Errorf("no price: %v", err)
	}
	bare := Book{"bare", func(string, int64) (catalog.Price, bool) { return catalog.Price{}, true }}
	if _, err := s.Claim(bare, CompressorPro); err == nil || !strings.Contains(err.Error(),
		"lacks an input or output rate") {
		t.Errorf("no rate: %v", err)
	}
	if _, err := s.Analytic("mingled", none); err == nil {
		t.Error("an unknown profile is worked out")
	}
}
