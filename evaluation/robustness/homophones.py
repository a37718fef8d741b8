"""Words of shopping as they come out when the wrong candidate of a pinyin input is taken; both sides sound the same.

Tones are not heard by the input method. None of the slips is a word by which a shop would understand something else.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

_PAIRS = """
发货 发或  退货 退或  换货 换或  补货 补或  现货 现或  到货 道货  收到 收道  没到 没道  到账 到帐  账号 帐号
账户 帐户  在哪 再哪  现在 现再  还在 还再  已经 以经  什么 神么  为什么 为神么  没有 没友  多久 多就
几天 几田  时间 时见  快递 快第  物流 物留  单号 单浩  订单 定单  地址 地止  驿站 译站  签收 签手  送货 送获
运费 运废  包邮 包油  客服 客付  电话 电画  退款 退宽  付款 付宽  尾款 尾宽  支付 支富  分期 分其  限额 现额
发票 发飘  抬头 台头  税号 睡号  报销 抱销  优惠 优会  红包 红苞  满减 满剪  活动 活洞  秒杀 秒沙  拼团 品团
预售 预受  赠品 增品  价保 价宝  会员 会圆  积分 积芬  密码 秘码  验证码 验正码  登录 登陆  注销 注消
绑定 邦定  昵称 尼称  尺码 齿码  颜色 颜涩  型号 形号  质量 志量  破损 颇损  瑕疵 瑕慈  安装 按装  维修 唯修
保修 宝修  正品 整品  授权 受权  库存 酷存  推荐 推见  申请 深请  取消 取销  修改 修该  备注 背注  成分 成份
"""

HOMOPHONES: Mapping[str, str] = MappingProxyType(dict(zip(_PAIRS.split()[::2], _PAIRS.split()[1::2], strict=True)))
"""What is meant, and what is typed instead."""
