//! The corpus: tracking events and CDN access lines of 400 to 2,048 bytes as clients send them, the
//! same on every run. Non-ASCII text, escapes, both kinds of spacing and keys in any order are in
//! it, because each of them is a path of its own through the scanner.

/// A value of an event, written by `write` in one of the ways that clients write JSON.
enum Json {
    Null,
    Bool(bool),
    /// Digits as they are to stand in the text.
    Number(String),
    Text(String),
    List(Vec<Json>),
    Object(Vec<(&'static str, Json)>),
}

/// `count` tracking events; their `_track_id` is their position, from 0.
pub(crate) fn tracking(count: usize) -> Vec<String> {
    fitting(count, 0x7461_636b, tracking_event)
}

/// `count` CDN access lines; their `request_id` ends in their position, from 0, in hexadecimal.
pub(crate) fn cdn(count: usize) -> Vec<String> {
    fitting(count, 0x0063_646e, cdn_line)
}

fn fitting(count: usize, seed: u64, make: fn(&mut Dice, usize) -> String) -> Vec<String> {
    let mut dice = Dice(seed);
    let mut events = Vec::with_capacity(count);
    while events.len() < count {
        let event = make(&mut dice, events.len());
        if (400..=2048).contains(&event.len()) {
            events.push(event);
        }
    }
    events
}

fn tracking_event(dice: &mut Dice, position: usize) -> String {
    let time = 1_750_000_000_000 + 37 * u64::try_from(position).unwrap_or(0) + dice.below(30);
    let login = if dice.percent(50) {
        text(format!("u{}", dice.below(100_000_000)))
    } else {
        Json::Null
    };
    let distinct = format!("{}-{}-{}", dice.hex(16), dice.hex(15), dice.hex(8));
    let mut fields = vec![
        ("event", text(dice.pick(EVENTS))),
        ("time", number(&time)),
        ("type", text("track")),
        ("distinct_id", text(distinct)),
        ("anonymous_id", text(dice.hex(32))),
        ("_track_id", number(&position)),
        ("project", text(dice.pick(&["default", "shop_prod"]))),
        ("login_id", login),
        ("properties", Json::Object(properties(dice))),
    ];
    if dice.percent(50) {
        dice.shuffle(&mut fields);
    }
    write(&Json::Object(fields), dice.percent(15), dice.percent(20))
}

fn properties(dice: &mut Dice) -> Vec<(&'static str, Json)> {
    let mut fields = vec![
        (
            "$lib",
            text(dice.pick(&["js", "iOS", "Android", "MiniProgram"])),
        ),
        ("$lib_version", text(format!("1.26.{}", dice.below(20)))),
        ("$os", text(dice.pick(&["iOS", "Android", "Windows"]))),
        ("$os_version", text(format!("18.{}", dice.below(5)))),
        (
            "$screen_width",
            number(&dice.pick(&["390", "414", "1920", "1440"])),
        ),
        (
            "$screen_height",
            number(&dice.pick(&["844", "896", "1080", "900"])),
        ),
        ("$is_first_day", Json::Bool(dice.percent(10))),
        ("$network_type", text(dice.pick(&["WIFI", "5G", "4G"]))),
        ("$city", text(dice.pick(CITIES))),
    ];
    let richness = dice.below(100);
    if richness < 75 {
        fields.extend(page(dice));
    }
    if richness < 50 {
        fields.extend(purchase(dice));
    }
    if richness < 25 {
        let items = (0..=dice.below(4)).map(|_| item(dice)).collect();
        fields.push(("items", Json::List(items)));
        fields.push(("coupon", Json::Null));
        fields.push(("comment", text(dice.pick(COMMENTS))));
    }
    fields
}

fn page(dice: &mut Dice) -> [(&'static str, Json); 3] {
    let from = dice.pick(&["feed", "search", "share"]);
    let url = format!(
        "https://shop.example.com/item/{}?utm_source=wx&spm=a21bo.{}&from={from}",
        dice.below(10_000_000),
        dice.hex(12)
    );
    let referrer = match dice.below(3) {
        0 => String::new(),
        1 => "https://www.baidu.com/s?wd=%E8%BF%9E%E8%A1%A3%E8%A3%99".to_owned(),
        _ => format!(
            "https://m.weibo.cn/detail/{}",
            dice.below(10_000_000_000_000_000)
        ),
    };
    [
        ("$url", text(url)),
        ("$title", text(dice.pick(TITLES))),
        ("$referrer", text(referrer)),
    ]
}

fn purchase(dice: &mut Dice) -> [(&'static str, Json); 6] {
    let tags = (0..=dice.below(4)).map(|_| text(dice.pick(TAGS))).collect();
    [
        ("$user_agent", text(dice.pick(AGENTS))),
        ("price", dice.decimal(1, 9_999, 2)),
        ("quantity", number(&(1 + dice.below(8)))),
        ("lat", dice.decimal(18, 53, 6)),
        ("lng", dice.decimal(73, 135, 6)),
        ("tags", Json::List(tags)),
    ]
}

fn item(dice: &mut Dice) -> Json {
    let size = match dice.pick(&["S", "M", "L", ""]) {
        "" => Json::Null,
        letter => text(letter),
    };
    Json::Object(vec![
        ("sku", text(format!("SKU{:08}", dice.below(100_000_000)))),
        ("name", text(dice.pick(TITLES))),
        ("price", dice.decimal(1, 999, 2)),
        ("qty", number(&(1 + dice.below(4)))),
        (
            "attrs",
            Json::Object(vec![
                ("color", text(dice.pick(&["红色", "蓝色", "黑"]))),
                ("size", size),
            ]),
        ),
    ])
}

fn cdn_line(dice: &mut Dice, position: usize) -> String {
    let mut fields = vec![
        ("event", text("cdn_access")),
        ("time", number(&(1_750_000_000_000 + 4 * position))),
    ];
    fields.extend(cdn_request(dice));
    fields.extend(cdn_answer(dice));
    fields.push((
        "request_id",
        text(format!("{}{position:08x}", dice.hex(24))),
    ));
    fields.extend(cdn_edge(dice));
    write(&Json::Object(fields), false, false)
}

fn cdn_request(dice: &mut Dice) -> [(&'static str, Json); 6] {
    let client = [0; 4]
        .map(|_: u8| (1 + dice.below(254)).to_string())
        .join(".");
    let name = 8 + dice.below(32);
    let ending = dice.pick(&["jpg", "webp", "js", "css", "m4s"]);
    let path = format!(
        "/{}/{}/{}.{ending}",
        dice.hex(2),
        dice.hex(4),
        dice.hex(name)
    );
    let width = 100 + dice.below(1_900);
    let query = match dice.below(3) {
        0 => String::new(),
        1 => format!("v=20250615&x-oss-process=image/resize,w_{width}"),
        _ => format!("sign={}&t={}", dice.hex(32), dice.hex(8)),
    };
    let host = dice.pick(&["img.example.com", "static.example.com", "api.example.com"]);
    [
        ("host", text(host)),
        ("client_ip", text(client)),
        (
            "method",
            text(dice.pick(&["GET", "GET", "GET", "POST", "HEAD"])),
        ),
        ("scheme", text("https")),
        ("path", text(path)),
        ("query", text(query)),
    ]
}

fn cdn_answer(dice: &mut Dice) -> [(&'static str, Json); 6] {
    let status = dice.pick(&["200", "200", "200", "206", "304", "404", "502"]);
    [
        ("status", number(&status)),
        ("bytes_sent", number(&(200 + dice.below(5_000_000)))),
        ("request_length", number(&(200 + dice.below(1_800)))),
        ("request_time", dice.decimal(0, 1, 3)),
        ("upstream_time", dice.decimal(0, 1, 3)),
        (
            "cache_status",
            text(dice.pick(&["HIT", "HIT", "HIT", "MISS", "EXPIRED"])),
        ),
    ]
}

fn cdn_edge(dice: &mut Dice) -> [(&'static str, Json); 9] {
    let from = dice.below(1_000_000);
    let range = if dice.percent(50) {
        "-".to_owned()
    } else {
        format!("bytes={from}-{}", from * 7)
    };
    let edge = format!(
        "cn-{}-{:02}",
        dice.pick(&["bj", "sh", "gz", "cd"]),
        dice.below(40)
    );
    let referer = dice.pick(&[
        "-",
        "https://shop.example.com/",
        "https://www.example.com/list?cat=7",
    ]);
    let kind = dice.pick(&[
        "image/webp",
        "image/jpeg",
        "application/javascript",
        "text/css",
    ]);
    [
        (
            "http_version",
            text(dice.pick(&["HTTP/1.1", "HTTP/2.0", "HTTP/3"])),
        ),
        ("tls_version", text("TLSv1.3")),
        ("tls_cipher", text("TLS_AES_128_GCM_SHA256")),
        ("referer", text(referer)),
        ("user_agent", text(dice.pick(AGENTS))),
        ("edge_node", text(edge)),
        ("range", text(range)),
        ("content_type", text(kind)),
        ("isp", text(dice.pick(&["电信", "联通", "移动"]))),
    ]
}

fn text(value: impl Into<String>) -> Json {
    Json::Text(value.into())
}

fn number(digits: &dyn std::fmt::Display) -> Json {
    Json::Number(digits.to_string())
}

/// As JSON: `ascii` escapes everything beyond ASCII, `spaced` puts a space after `,` and `:`.
fn write(value: &Json, ascii: bool, spaced: bool) -> String {
    let mut out = String::new();
    write_value(&mut out, value, ascii, spaced);
    out
}

fn write_value(out: &mut String, value: &Json, ascii: bool, spaced: bool) {
    let (comma, colon) = if spaced { (", ", ": ") } else { (",", ":") };
    match value {
        Json::Null => out.push_str("null"),
        Json::Bool(true) => out.push_str("true"),
        Json::Bool(false) => out.push_str("false"),
        Json::Number(digits) => out.push_str(digits),
        Json::Text(text) => write_text(out, text, ascii),
        Json::List(items) => {
            out.push('[');
            for (position, item) in items.iter().enumerate() {
                out.push_str(if position == 0 { "" } else { comma });
                write_value(out, item, ascii, spaced);
            }
            out.push(']');
        }
        Json::Object(fields) => {
            out.push('{');
            for (position, (key, item)) in fields.iter().enumerate() {
                out.push_str(if position == 0 { "" } else { comma });
                write_text(out, key, ascii);
                out.push_str(colon);
                write_value(out, item, ascii, spaced);
            }
            out.push('}');
        }
    }
}

fn write_text(out: &mut String, text: &str, ascii: bool) {
    out.push('"');
    for letter in text.chars() {
        match letter {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            letter if ascii && !letter.is_ascii() => {
                for unit in letter.encode_utf16(&mut [0; 2]) {
                    out.push_str(&format!("\\u{unit:04x}"));
                }
            }
            letter => out.push(letter),
        }
    }
    out.push('"');
}

/// `SplitMix64` (Steele, Lea and Flood, 2014): a few lines, and the same numbers for ever.
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }

    fn percent(&mut self, chance: u64) -> bool {
        self.below(100) < chance
    }

    fn index(&mut self, length: usize) -> usize {
        usize::try_from(self.next() >> 32).unwrap_or(0) % length
    }

    fn pick(&mut self, from: &[&'static str]) -> &'static str {
        from[self.index(from.len())]
    }

    fn hex(&mut self, digits: u64) -> String {
        (0..digits)
            .map(|_| char::from(b"0123456789abcdef"[self.index(16)]))
            .collect()
    }

    /// A number from `low` to below `high` with this many decimals.
    fn decimal(&mut self, low: u64, high: u64, decimals: usize) -> Json {
        let digit = |_| char::from(b"0123456789"[self.index(10)]);
        let fraction: String = (0..decimals).map(digit).collect();
        Json::Number(format!("{}.{fraction}", low + self.below(high - low)))
    }

    fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            items.swap(last, self.index(last + 1));
        }
    }
}

const EVENTS: &[&str] = &[
    "page_view",
    "click",
    "purchase",
    "add_to_cart",
    "search",
    "app_start",
    "app_end",
    "video_play",
    "form_submit",
    "exposure",
];
const CITIES: &[&str] = &[
    "北京", "上海", "深圳", "杭州", "广州", "成都", "武汉", "西安", "南京", "苏州", "重庆", "长沙",
];
const TITLES: &[&str] = &[
    "新款夏季连衣裙 显瘦 碎花 中长款",
    "华为 Mate 70 Pro 旗舰手机 12GB+512GB",
    "【限时特价】无线蓝牙耳机 主动降噪",
    "儿童益智积木 \"大颗粒\" 3-6岁",
    "有机燕麦片 1kg\t早餐代餐",
    "机械键盘 87键 红轴 RGB\n背光",
    "Rust 程序设计语言(第2版)",
    "家用净水器\\厨房直饮 RO反渗透",
];
const COMMENTS: &[&str] = &[
    "很好用!下次还来~ 😀👍",
    "一般般,物流\"太慢\"了",
    "path C:\\Users\\test\r\n第二行",
    "ok",
];
const TAGS: &[&str] = &["新品", "热卖", "包邮", "满减", "会员价", "清仓"];
const AGENTS: &[&str] = &[
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_2 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148 MicroMessenger/8.0.54(0x18003633) NetType/WIFI Language/zh_CN",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36",
    "Mozilla/5.0 (Linux; Android 14; 23127PN0CC Build/UKQ1.230804.001) AppleWebKit/537.36 (KHTML, like Gecko) Version/4.0 Chrome/120.0.6099.193 Mobile Safari/537.36",
];
