package quality

// common are the commonest words of a language that tell it from its neighbours, in lower case, by spaces. Words of
// names, of formats and of code are not among them.
var common = map[string]string{
	"en": "the of and to in is was for that with it are this be by from have not you on at or an which has were their if " +
		"its can will your would but they we there been what all when as i he she his do should these",
	"de": "der die das und ist nicht von zu den mit für ein eine auf dem des im sich auch werden wird als an einen einer oder " +
		"sind wurde kann nach bei aus wie hat sie ich es wenn nur noch zum zur über durch haben war dass aber diese",
	"fr": "le la les de des et est un une du en que qui dans pour pas sur par plus avec ce il au sont vous à être ou cette " +
		"nous elle aux mais je leur été fait votre peut l d qu n c s ces son sa ses tout ont ne se",
	"es": "el la los las de y que en un una es por con para del se no al lo su como más o pero sus le ha este esta son entre " +
		"cuando muy sin sobre también puede ser ya todo está hay usted desde sí porque yo mi tiene toda persona",
	"pt": "o a os as de e que do da em um uma para com não por no na dos das ao se mais como mas é foi são pelo pela ou seu sua " +
		"também pode nos já está você ser tem isso quando muito sobre esta este eu até toda todo à num às",
	"it": "il la di e che in un una per non è con del della i le si da al sono dei come più nel gli lo alla ha anche delle " +
		"questo questa o ma essere dal nella degli può suo sua l d ci ogni ad ed se stato dell all",
	"nl": "de het een en van in is dat te op voor met niet zijn aan er om ook als door naar bij uit worden wordt maar heeft dit " +
		"die kan of deze tot hij ik je u over nog hebben was geen wel zou meer een ieder heeft",
	"sv": "och i att det som en på är av för med den till inte om ett har de så kan från var eller du jag vi hade men ska när " +
		"efter vid även sin sina detta där skulle denna alla rätt till varje mot",
	"da": "og i at det er en til på af for med der den ikke de som et har kan fra var eller du jeg vi men skal når efter ved " +
		"også sin sine dette være hvor mod bliver blev om hans enhver ret nogen havde meget",
	"nb": "og i å det er en til på av for med som den ikke de et har kan fra var eller du jeg vi men skal når etter ved også " +
		"sin sitt sine dette være hvor mot blir ble om hans enhver rett noen hadde mye bare",
	"fi": "ja on ei että se hän oli kun ovat mutta tai niin myös joka voi sen ole tämä jos ovat mitä kuin sekä hänen ovat " +
		"voidaan jokaisella oikeus olla sitä jotka niiden mukaan kanssa minä sinä tämän olisi kuitenkin ne",
	"pl": "i w na z do nie się to jest że o jak od po za przez dla są co ale czy być przy może oraz ma ich lub który która " +
		"które tego jego już tylko został jako ze przed był była każdy prawo nad jej gdy bardzo",
	"cs": "a v na se je že s z do to o i za k by jako jsou pro ale po od nebo si který která které při jeho být bylo byl může " +
		"podle až ve má každý také tak jak ze není aby této než pouze jejich který své jsem nad však",
	"sk": "a v na sa je že s z do to o i za k by ako sú pre ale po od alebo si ktorý ktorá ktoré pri jeho byť bolo bol môže " +
		"podľa až vo má každý tiež tak zo nie aby tejto než len ich svoje som nad však právo",
	"ro": "și de în a la cu nu o un pe este că din pentru care mai să sau fi al ale ca sunt prin au fost dar după o către orice " +
		"lui dreptul la acest această poate despre unei unui persoană îi se sa ar ei",
	"hu": "a az és hogy nem is egy van ez azt meg ha de csak mint vagy már volt el még kell ki lehet be minden akkor " +
		"szerint után ezt között által mert azonban joga van valamint ezek pedig során amely",
	"tr": "ve bir bu da de için ile olarak olan daha çok gibi ne ya veya her kadar sonra değil o en var ben mi ki ise " +
		"olduğu tarafından göre bütün hakkı vardır hiç şu ancak üzere edilir ama",
	"id": "yang dan di dari untuk dengan ini tidak pada adalah itu dalam akan atau oleh ke karena dapat telah sebagai ada " +
		"setiap orang hak bisa juga saya anda kami mereka lebih sudah tersebut kepada jika harus bahwa",
	"vi": "và của là có không được các cho trong với một những người này đã để khi về từ ra cũng như hay hoặc mọi quyền " +
		"nhưng vào tại do phải bị đến sẽ trên rằng",
	"ca": "el la els les de i que en un una és per amb del al no es com més o però seu seva aquest aquesta són entre quan " +
		"molt sense sobre també pot ser ja tot hi ha dels als tota persona l d dret",
	"ru": "и в не на что он с как это по но они к у из за то все так его же от для о был мы вы или при быть она бы есть до если " +
		"также может каждый право их который я было только без будет",
	"uk": "і в не на що він з як це по але вони до у за то всі так його ж від для про був ми ви або при бути вона є якщо " +
		"також може кожна право їх який я було тільки без буде та й людина має",
	"bg": "и в не на че той с как това по но те за то всички така от да се са е или при бъде тя като има до ако също може " +
		"всеки право им който аз беше само без ще си във един човек",
	"ar": "في من على إلى أن هذا التي ما لا كل هو عن مع ذلك هذه الذي أو كان و قد لم بين بعد كما إذا حق لكل شخص أي ثم غير",
	"fa": "در و به از که این را با است برای آن یک هر تا می بر خود کند شود های شده دارد یا هم اما حق باید بود ای نیز کس",
	"ur": "کے کی میں اور کا سے کو ہے نے یہ پر کہ ہیں اس کر بھی ایک ہر یا حق جو ہو نہیں گا گی کیا لئے ساتھ شخص اپنے",
	"hi": "के में की है का और को से पर यह कि इस हैं ने एक भी या हो तो नहीं था कर जो प्रत्येक अधिकार किसी अपने लिए साथ व्यक्ति",
}
