package tokens

import (
	"strings"
	"testing"

	"github.com/tiktoken-go/tokenizer/codec"
	"pgregory.net/rapid"
)

// samples are texts of the kinds that procurement agents send.
var samples = map[string]string{
	"prose": "The supplier must not ship partial quantities without prior written consent. Where the goods received " +
		"differ from the purchase order by more than two percent, accounts payable places the invoice on hold and asks " +
		"the buyer for a decision within five working days. Payment terms are thirty days from the date of receipt.",
	"records": "INV-0402 | PO-88213 | Harlow Industrial Supply Ltd | 2026-03-14 | USD 1,240.00 | approved | net 30\n" +
		"INV-0417 | PO-88240 | Brenner Logistik GmbH | 2026-03-15 | USD 18,975.50 | on_hold | net 45\n",
	"json": `{"invoice":"INV-0402","status":"approved","amount":"1240.00","reason":"The three-way match of order, ` +
		`receipt and invoice is complete.","confidence":0.93}`,
	"mail": "From: p.ortega@harlow-supply.example\nSubject: Re: short delivery on PO-88213\n\nHi Dana,\nwe can't accept " +
		"the deduction you've booked. Please release the payment by 2026-04-02; otherwise we'll invoke clause 14.2.\n",
	"manifest": "  12  pallet  SKU-48812-B  hydraulic hose 3/8 in  qty 240  net 1,180.5 kg  HS 4009.21  Rotterdam -> " +
		"Gdansk\n" +
		"  13  carton  SKU-20071-A  flange gasket DN80  qty 1,000  net 92.0 kg  HS 8484.10  Rotterdam -> Gdansk\n",
	"german": "Die Rechnung wurde am 14. März geprüft; die Lieferung enthält beschädigte Teile und muss " +
		"zurückgeschickt werden.",
	"question": "Has Invoice #402 been approved? Natalia sold clips to 48 of her friends in April, and then she sold " +
		"half " +
		"as many clips in May. How many clips did Natalia sell altogether in April and May?",
}

func TestCountFollowsO200kWithinFivePercent(t *testing.T) {
	exact := codec.NewO200kBase()
	for name, text := range samples {
		t.Run(name, func(t *testing.T) {
			long := strings.Repeat(text+"\n", 20)
			want, err := exact.Count(long)
			if err != nil {
				t.Fatal(err)
			}
			got := Count(long)
			if off := 100 * float64(got-want) / float64(want); off < -5 || off > 5 {
				t.Errorf("Count = %d, o200k = %d: %+.1f %%, want within 5 %%", got, want, off)
			}
		})
	}
}

func TestCountEdges(t *testing.T) {
	for _, tc := range []struct {
		text string
		want int
	}{
		{"", 0},
		{"a", 1},
		{" ", 1},
		{"\n\n\n", 1},
		{"1234567", 3},
		{"approved", 1},
		{" approved", 1},
		{"\x00", 1},
		{"\xff", 1},
		{"----------------", 2},
		{"don't", 2},
		{"日本語", 3},
		{"a  b", 3},
		{"\t\tx", 2},
	} {
		if got := Count(tc.text); got != tc.want {
			t.Errorf("Count(%q) = %d, want %d", tc.text, got, tc.want)
		}
	}
}

func TestCutAndChunksKeepTheText(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.String().Draw(t, "text")
		n := rapid.IntRange(0, 20).Draw(t, "n")
		if got := strings.Join(Chunks(text, n), ""); got != text {
			t.Fatalf("chunks join to %q, want %q", got, text)
		}
		prefix, cut := Cut(text, n)
		if !strings.HasPrefix(text, prefix) || Count(prefix) > n || cut != (prefix != text) {
			t.Fatalf("Cut(%q, %d) = %q, %v", text, n, prefix, cut)
		}
	})
}

func FuzzCount(f *testing.F) {
	for _, s := range samples {
		f.Add(s)
	}
	f.Add("\xff\xfe é漢")
	f.Fuzz(func(t *testing.T, s string) {
		n := Count(s)
		if n < 0 || n > len(s) || (n == 0) != (s == "") {
			t.Fatalf("Count of %d bytes = %d", len(s), n)
		}
	})
}

func BenchmarkCount(b *testing.B) {
	text := strings.Repeat(samples["records"]+samples["prose"], 100)
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		Count(text)
	}
}
